"""find: the right photographs come first, broken ones are named, what is cached isn't extracted again."""

import gc
import json
import weakref
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch

from tiepoint import retrieval
from tiepoint.errors import InvalidInput, StoreError
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.image import Image, read_image
from tiepoint.matcher import Matcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.retrieval import find, find_to_files, ranking
from tiepoint.types import Features

SIZE = (200, 150)
COUNT = 80


class SceneExtractor(NeuralExtractor):
    """Reads scene and shift from the picture: the same scene has the same points, shifted."""

    def __init__(self, max_keypoints: int = COUNT) -> None:
        self.settings = ExtractionSettings(kind="scene", max_keypoints=max_keypoints)
        self.fingerprint = f"scene {max_keypoints}"
        self.extracted: list[str] = []

    def extract(self, image: Image, mask: torch.Tensor | None = None) -> Features:
        scene, shift, _ = image.pixels[:, 0, 0].tolist()
        self.extracted.append(Path(image.source or "").name)
        noise = torch.Generator().manual_seed(scene)
        points = torch.rand(COUNT, 2, generator=noise) * 100 + 10 + shift
        return Features(
            keypoints=points,
            scores=torch.ones(COUNT),
            descriptors=torch.nn.functional.normalize(torch.randn(COUNT, 64, generator=noise), dim=1),
            image_size=image.image_size,
            kind="scene",
            fingerprint=self.fingerprint,
            source=image.source,
        )


@pytest.fixture
def extractor(monkeypatch: pytest.MonkeyPatch) -> SceneExtractor:
    made = SceneExtractor()

    def load(preset: str, *, max_keypoints: int = COUNT, **options: Any) -> Matcher:
        made.settings = ExtractionSettings(kind="scene", max_keypoints=max_keypoints)
        return Matcher(made, NearestMatcher(kind="scene", filter_threshold=0.5))

    monkeypatch.setattr(ranking, "load", load)
    return made


def write(path: Path, scene: int, shift: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    PIL.Image.new("RGB", SIZE, (scene, shift, 0)).save(path)
    return path


@pytest.fixture
def query(tmp_path: Path) -> Path:
    return write(tmp_path / "query.png", scene=1, shift=0)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two of the query's scene, one of them in a sub-folder, and three others."""
    folder = tmp_path / "photos"
    for name, scene in (("a", 2), ("b", 1), ("c", 3), ("d", 4)):
        write(folder / f"{name}.png", scene, shift=10)
    write(folder / "more" / "e.png", 1, shift=20)
    (folder / "notes.txt").write_text("not a photograph")
    return folder


def names(found: retrieval.Ranking) -> list[str]:
    return [Path(result.features1.source or "").name for result in found.results]


def test_the_same_place_comes_first(query: Path, photos: Path, extractor: SceneExtractor):
    found = find(query, photos)
    assert set(names(found)[:2]) == {"b.png", "e.png"}
    assert [result.verify().same_scene for result in found.results] == [True, True, False, False, False]
    assert found.compared == 5
    assert found.problems == ()
    assert extractor.extracted.count("query.png") == 1


def test_a_sheet_holds_one_photograph_at_a_time(
    query: Path, photos: Path, extractor: SceneExtractor, monkeypatch: pytest.MonkeyPatch
):
    found = find(query, photos)
    pixels: list[weakref.ref[torch.Tensor]] = []

    def read(source: str) -> Image:
        gc.collect()
        assert not [kept for kept in pixels if kept() is not None]
        image = read_image(source)
        pixels.append(weakref.ref(image.pixels))
        return image

    monkeypatch.setattr(ranking, "read_image", read)
    found.draw()
    assert len(pixels) == 6


def test_a_ranking_is_printed_as_one_short_line(query: Path, photos: Path, extractor: SceneExtractor):
    printed = str(find(query, photos, top=3))
    assert "\n" not in printed
    assert "top 3 of 5 images, 2 of the same scene" in printed


def test_only_the_best_are_kept(query: Path, photos: Path, extractor: SceneExtractor):
    assert len(find(query, photos, top=3).results) == 3
    with pytest.raises(InvalidInput, match="top"):
        find(query, photos, top=0)


def test_broken_files_are_named_and_cost_no_other(query: Path, photos: Path, extractor: SceneExtractor):
    (photos / "b2.jpg").write_bytes(b"broken")
    (photos / "empty.png").touch()
    found = find(query, photos)
    assert set(names(found)[:2]) == {"b.png", "e.png"}
    assert found.compared == 5
    assert [problem for problem in found.problems if "b2.jpg" in problem or "empty.png" in problem] == list(
        found.problems
    )
    assert len(found.problems) == 2


def test_the_query_is_not_compared_with_itself(photos: Path, extractor: SceneExtractor):
    found = find(photos / "b.png", photos)
    assert names(found)[0] == "e.png"
    assert "b.png" not in names(found)


def test_nothing_to_compare_is_an_error(query: Path, tmp_path: Path, extractor: SceneExtractor):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InvalidInput, match=r"no image in .*nothing"):
        find(query, tmp_path / "nothing")
    with pytest.raises(InvalidInput, match="expected a folder"):
        find(query, tmp_path / "missing")


def test_what_is_cached_is_extracted_once(
    query: Path, photos: Path, tmp_path: Path, extractor: SceneExtractor
):
    first = find(query, photos, cache=tmp_path / "cache")
    (photos / "b.png").rename(photos / "renamed.png")
    write(photos / "new.png", scene=1, shift=5)
    extractor.extracted.clear()
    second = find(query, photos, cache=tmp_path / "cache")
    assert sorted(extractor.extracted) == ["new.png", "query.png"]
    assert set(names(second)[:3]) == {"renamed.png", "e.png", "new.png"}
    assert [len(result) for result in first.results][:2] == [COUNT, COUNT]


def test_a_broken_file_is_not_cached(query: Path, photos: Path, tmp_path: Path, extractor: SceneExtractor):
    (photos / "b2.jpg").write_bytes(b"broken")
    for _ in range(2):
        assert len(find(query, photos, cache=tmp_path / "cache").problems) == 1


def test_a_cache_of_other_settings_is_refused_with_the_difference(
    query: Path, photos: Path, tmp_path: Path, extractor: SceneExtractor
):
    find(query, photos, cache=tmp_path / "cache")
    with pytest.raises(StoreError, match="max_keypoints"):
        find(query, photos, cache=tmp_path / "cache", max_keypoints=40)


def test_ranking_and_sheet_are_written(query: Path, photos: Path, tmp_path: Path, extractor: SceneExtractor):
    found = find_to_files(query, photos, output=tmp_path / "s.png", json=tmp_path / "r.json", top=4)
    written = json.loads((tmp_path / "r.json").read_text())
    assert written == found.to_dict()
    assert written["query"] == str(query)
    assert [row["same_scene"] for row in written["found"]] == [True, True, False, False]
    assert {row["inliers"] for row in written["found"][:2]} == {COUNT}
    assert {(row["rotation0"], row["rotation1"]) for row in written["found"]} == {(0, 0)}
    with PIL.Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width > 4 * 200


@pytest.mark.parametrize("files", [{"output": "s.txt"}, {"json": "r.npz"}], ids=["output", "json"])
def test_output_paths_are_validated_before_starting(
    files: dict[str, str], query: Path, photos: Path, extractor: SceneExtractor
):
    with pytest.raises(InvalidInput, match=r"s\.txt|r\.npz"):
        find_to_files(query, photos, **files)
    assert extractor.extracted == []


def test_one_to_many_gives_every_image_its_place(query: Path, photos: Path, extractor: SceneExtractor):
    matcher = ranking.load("any")
    (photos / "broken.png").write_bytes(b"broken")
    images = [
        photos / "b.png",
        photos / "broken.png",
        matcher.extract(photos / "a.png"),
        photos / "d.png",
    ] * 4
    found = list(matcher.match_one_to_many(query, iter(images)))
    assert [isinstance(result, InvalidInput) for result in found] == [False, True, False, False] * 4
    assert [len(result) for result in found if not isinstance(result, InvalidInput)][::3] == [COUNT] * 4
    assert extractor.extracted.count("query.png") == 1
    alone = matcher.match(query, photos / "b.png")
    assert found[0].matches.tolist() == alone.matches.tolist()


def test_one_to_many_reads_images_when_it_needs_them(query: Path, photos: Path, extractor: SceneExtractor):
    matcher = ranking.load("any")
    results = matcher.match_one_to_many(query, (photos / "b.png" for _ in range(100)))
    assert extractor.extracted == ["query.png"]
    next(results)
    assert len(extractor.extracted) < 20


def test_one_to_many_refuses_a_reference_that_cannot_be_read_at_once(
    query: Path, photos: Path, extractor: SceneExtractor
):
    matcher = ranking.load("any")
    with pytest.raises(InvalidInput, match="not found"):
        matcher.match_one_to_many(photos / "missing.png", [query])
    with pytest.raises(InvalidInput, match="mask"):
        matcher.match_one_to_many(matcher.extract(query), [query], mask=torch.ones(150, 200))
