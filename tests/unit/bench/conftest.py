"""Two images, and `bench` with a matcher without weights."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from tests.helpers.diagonal_matcher import HEIGHT, MACHINE, WIDTH, Diagonal

from tiepoint.api import Matcher
from tiepoint.bench import report, stages


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments of `load`, and the matcher that it returned."""
    asked: dict[str, Any] = {"matcher": Diagonal()}

    def load(preset: str, **options: Any) -> Matcher:
        asked.update(options, preset=preset)
        return asked["matcher"]

    monkeypatch.setattr(report, "load", load)
    monkeypatch.setattr(stages, "describe_machine", lambda device: MACHINE)
    return asked


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "dark.png", tmp_path / "bright.png"
    for path, value in zip(paths, (10, 200), strict=True):
        PIL.Image.fromarray(np.full((HEIGHT, WIDTH, 3), value, np.uint8)).save(path)
    return paths
