"""find: images of the same scene are ranked first; unreadable files are reported."""

import gc
import json
import sys
import weakref
from pathlib import Path

import PIL.Image
import pytest
import torch
from tests.helpers.scene_images import COUNT, SceneExtractor, names

from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.image import Image, read_image
from tiepoint.retrieval import find, find_to_files, ranking


def test_the_same_scene_is_ranked_first(query: Path, photos: Path, extractor: SceneExtractor):
    found = find(query, photos)
    assert set(names(found)[:2]) == {"b.png", "e.png"}
    assert [result.verify().same_scene for result in found.results] == [True, True, False, False, False]
    assert found.compared == 5
    assert found.problems == ()
    assert extractor.extracted.count("query.png") == 1


@pytest.mark.slow
def test_a_contact_sheet_holds_one_image_at_a_time(
    query: Path, photos: Path, extractor: SceneExtractor, monkeypatch: pytest.MonkeyPatch
):
    found = find(query, photos)
    pixels: list[weakref.ref[torch.Tensor]] = []

    def read(source: str, **_: object) -> Image:
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


def test_only_the_top_results_are_kept(query: Path, photos: Path, extractor: SceneExtractor):
    assert len(find(query, photos, top=3).results) == 3
    with pytest.raises(InvalidInput, match="top"):
        find(query, photos, top=0)


def test_a_ranking_does_not_depend_on_the_time(query: Path, photos: Path):
    options: dict = {"latency_budget_ms": 100}
    with pytest.raises(InvalidInput, match="latency_budget_ms"):
        find(query, photos, **options)


def test_unreadable_files_are_reported_and_the_others_compared(
    query: Path, photos: Path, extractor: SceneExtractor
):
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


def test_ranking_and_contact_sheet_are_written(
    query: Path, photos: Path, tmp_path: Path, extractor: SceneExtractor
):
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


def test_one_to_many_keeps_the_order(query: Path, photos: Path, extractor: SceneExtractor):
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


def test_one_to_many_reads_images_lazily(query: Path, photos: Path, extractor: SceneExtractor):
    matcher = ranking.load("any")
    results = matcher.match_one_to_many(query, (photos / "b.png" for _ in range(100)))
    assert extractor.extracted == ["query.png"]
    next(results)
    assert len(extractor.extracted) < 20


def test_one_to_many_refuses_an_unreadable_reference_immediately(
    query: Path, photos: Path, extractor: SceneExtractor
):
    matcher = ranking.load("any")
    with pytest.raises(InvalidInput, match="not found"):
        matcher.match_one_to_many(photos / "missing.png", [query])
    with pytest.raises(InvalidInput, match="mask"):
        matcher.match_one_to_many(matcher.extract(query), [query], mask=torch.ones(150, 200))


def test_a_missing_library_of_the_cache_is_reported_before_weights_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").touch()
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setattr(
        "tiepoint.retrieval.ranking.load", lambda *arguments, **options: pytest.fail("loaded")
    )
    with pytest.raises(MissingDependency, match=r"h5py.*pip install"):
        find("query.png", tmp_path, cache=tmp_path / "cache")


def test_progress_is_shown_on_request(
    query: Path, photos: Path, extractor: SceneExtractor, capsys: pytest.CaptureFixture[str]
):
    for progress in (False, True):
        find(query, photos, progress=progress)
        assert ("comparing" in capsys.readouterr().err) == progress
