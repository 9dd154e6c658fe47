"""A query and a folder of images, two of them of the same scene."""

from pathlib import Path
from typing import Any

import pytest
from tests.helpers.scene_images import COUNT, SceneExtractor, write

from tiepoint.extraction.extractor import ExtractionSettings
from tiepoint.matcher import Matcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.retrieval import ranking


@pytest.fixture
def extractor(monkeypatch: pytest.MonkeyPatch) -> SceneExtractor:
    made = SceneExtractor()

    def load(preset: str, *, max_keypoints: int = COUNT, stretch: Any = None, **options: Any) -> Matcher:
        made.settings = ExtractionSettings(kind="scene", max_keypoints=max_keypoints, stretch=stretch)
        return Matcher(made, NearestMatcher(kind="scene", filter_threshold=0.5))

    monkeypatch.setattr(ranking, "load", load)
    return made


@pytest.fixture
def query(tmp_path: Path) -> Path:
    return write(tmp_path / "query.png", scene=1, shift=0)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two images of the query's scene, one of them in a subfolder, and three others."""
    folder = tmp_path / "photos"
    for name, scene in (("a", 2), ("b", 1), ("c", 3), ("d", 4)):
        write(folder / f"{name}.png", scene, shift=10)
    write(folder / "more" / "e.png", 1, shift=20)
    (folder / "notes.txt").write_text("not an image")
    return folder
