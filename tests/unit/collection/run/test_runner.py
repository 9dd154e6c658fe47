"""match_collection: each stage computes only missing records; unusable images are reported and the rest is processed."""

import os
import shutil
import sys
import time
from pathlib import Path

import PIL.Image
import pytest
from tests.helpers.small_collections import QUICK, assert_same_collections, write_image_folder

from tiepoint.collection.collection import open_collection
from tiepoint.collection.export.formats import MATCH_EXPORTS, export_as
from tiepoint.collection.report.html_view import write_html_view
from tiepoint.collection.run.runner import match_collection, resume_collection
from tiepoint.collection.run.status import read_status
from tiepoint.collection.sfm.reconstruction import reconstruct
from tiepoint.errors import InvalidInput, MissingDependency, StoreError
from tiepoint.weights import WEIGHTS, resolve


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.mark.slow
def test_complete_run(photos: Path, out: Path):
    report = match_collection(photos, out, **QUICK)
    assert report.success
    assert (report.files, report.images, report.selected, report.pairs) == (4, 4, 6, 6)
    assert report.new == {"features": 4, "matches": 6, "verified": 6}
    collection = open_collection(out)
    assert [image.name for image in collection.images] == [f"view {n}.png" for n in (1, 2, 3, 4)]
    pairs = list(collection.pairs())
    assert len(pairs) == 6
    assert report.matches == sum(len(collection.matches(*pair)[0]) for pair in pairs) > 0
    estimates = [collection.geometry(*pair) for pair in pairs]
    assert report.inliers == sum(estimate.num_inliers for estimate in estimates if estimate)
    assert report.verified == sum(estimate.success for estimate in estimates if estimate)
    assert report.keypoints == sum(len(collection.features(photo.name)) for photo in collection.images)
    assert (out / "report.json").is_file()
    assert (out / "report.html").is_file()


@pytest.mark.slow
def test_finished_work_is_not_repeated(photos: Path, out: Path):
    first = match_collection(photos, out, **QUICK)
    shards = {path: path.stat().st_mtime_ns for path in out.rglob("*.h5")}
    second = match_collection(photos, out, **QUICK)
    assert second.new == {}
    assert (second.pairs, second.matches, second.inliers) == (first.pairs, first.matches, first.inliers)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.h5")} == shards


@pytest.mark.slow
def test_old_temporary_files_are_removed(photos: Path, out: Path):
    stores = out.with_name("stores")
    match_collection(photos, out, stores=str(stores), stop_after="extract", **QUICK)
    (shard,) = {path.parent for path in stores.glob("*/*/*.h5")}
    (out / "colmap" / ".tiepoint-2" / "0").mkdir(parents=True)
    halves = [out / ".tiepoint-1.json", out / "colmap" / ".tiepoint-2", out / "colmap" / ".tiepoint-3.db"]
    halves += [shard / ".tiepoint-4.h5", shard.parent / ".tiepoint-5.json"]
    (out / "exports" / "hloc").mkdir(parents=True)
    halves += [out / "exports" / "hloc" / ".tiepoint-6.h5"]
    for path in halves:
        path.exists() or path.touch()
    for age, left in ((5, halves), (7, halves[1:3]), (7 * 24 + 1, [])):
        for path in halves:
            if path.exists():
                os.utime(path, (time.time() - age * 3600,) * 2)
        match_collection(photos, out, stores=str(stores), stop_after="extract", **QUICK)
        assert [path for path in halves if path.exists()] == left


@pytest.mark.slow
def test_new_image_adds_only_its_own_work(photos: Path, out: Path):
    match_collection(photos, out, **QUICK)
    write_image_folder(photos, 5)
    assert match_collection(photos, out, **QUICK).new == {"features": 1, "matches": 4, "verified": 4}


@pytest.mark.slow
def test_changed_image_is_recomputed(photos: Path, out: Path):
    match_collection(photos, out, **QUICK)
    PIL.Image.open(photos / "view 4.png").transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT).save(
        photos / "view 2.png"
    )
    report = match_collection(photos, out, **QUICK)
    assert report.new == {"features": 1, "matches": 3, "verified": 3}
    fresh = out.with_name("fresh")
    match_collection(photos, fresh, **QUICK)
    assert_same_collections(open_collection(out), open_collection(fresh))


@pytest.mark.slow
def test_other_settings_recompute_only_dependent_records(photos: Path, out: Path):
    match_collection(photos, out, **QUICK)
    looser = match_collection(photos, out, **QUICK, max_error_px=8.0)
    assert looser.new == {"verified": 6}
    other = match_collection(photos, out, **QUICK, filter_threshold=0.9)
    assert other.new == {"matches": 6, "verified": 6}
    fewer = match_collection(photos, out, **{**QUICK, "max_keypoints": 32})
    assert fewer.new == {"features": 4, "matches": 6, "verified": 6}
    assert len(open_collection(out).features("view 1.png")) <= 32
    assert match_collection(photos, out, **QUICK).new == {}


@pytest.mark.slow
def test_moved_image_folder(photos: Path, out: Path):
    match_collection(photos, out, **QUICK)
    moved = photos.rename(photos.with_name("elsewhere"))
    assert match_collection(moved, out, **QUICK).new == {}
    assert open_collection(out).features("view 1.png").source == str(moved / "view 1.png")


@pytest.mark.slow
def test_moved_output_folder(photos: Path, out: Path):
    match_collection(photos, out, **QUICK)
    moved = out.rename(out.with_name("elsewhere"))
    assert len(list(open_collection(moved).pairs())) == 6
    assert match_collection(photos, moved, **QUICK).new == {}


@pytest.mark.slow
def test_separate_steps_give_the_same_result(photos: Path, out: Path):
    match_collection(photos, out, stop_after="extract", **QUICK)
    assert list(open_collection(out).pairs()) == []
    assert resume_collection(out, stop_after="pairs", pairs="sequential:2").selected == 5
    assert resume_collection(out, stop_after="match").new == {"matches": 5}
    first = next(open_collection(out).pairs())
    assert open_collection(out).geometry(*first) is None
    assert resume_collection(out, stop_after="verify").new == {"verified": 5}
    whole = out.with_name("whole")
    match_collection(photos, whole, pairs="sequential:2", **QUICK)
    assert_same_collections(open_collection(out), open_collection(whole))


@pytest.mark.slow
def test_extraction_keeps_the_options_of_later_stages(photos: Path, out: Path):
    match_collection(photos, out, pairs="sequential:1", max_error_px=2.0, verify=False, **QUICK)
    write_image_folder(photos, 5)
    again = match_collection(photos, out, stop_after="extract", **QUICK)
    kept = {"pairs": "sequential:1", "max_error_px": 2.0, "verify": False}
    assert again.options | kept == again.options
    assert resume_collection(out, stop_after="match").new == {"matches": 1}
    assert read_status(out).is_complete


def test_threads_are_kept(photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr("torch.set_num_threads", asked.append)
    match_collection(photos, out, stop_after="extract", threads=3, **QUICK)
    report = resume_collection(out, stop_after="pairs")
    assert asked == [3, 3]
    assert report.options["threads"] == 3


@pytest.mark.slow
def test_weights_may_move_but_not_change(photos: Path, out: Path, tmp_path: Path):
    given = Path(shutil.copy(resolve("aliked-t16"), tmp_path / "own.pth"))
    match_collection(photos, out, stop_after="extract", extractor_weights=given, **QUICK)
    moved = given.rename(tmp_path / "moved.pth")
    with pytest.raises(InvalidInput, match=r"not a file.*own\.pth"):
        resume_collection(out, stop_after="match")
    assert resume_collection(out, stop_after="match", extractor_weights=moved).new == {"matches": 6}
    settings = open_collection(out).settings
    assert settings["load"]["extractor_weights"] == str(moved)
    assert settings["weights"] == {"extractor_weights": [WEIGHTS["aliked-t16"].sha256]}
    with pytest.raises(InvalidInput, match=r"extractor_weights were .*moved\.pth .*, got the preset's"):
        match_collection(photos, out, **QUICK)
    moved.write_bytes(b"other")
    with pytest.raises(InvalidInput, match=r"extractor_weights were .*moved\.pth .*, got .*moved\.pth"):
        resume_collection(out, stop_after="verify")


@pytest.mark.slow
@pytest.mark.parametrize("change", ["another choice", "another image", "none"])
def test_run_killed_before_the_selection(
    photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch, change: str
):
    match_collection(photos, out, pairs="sequential:1", **QUICK)
    pairs = "exhaustive" if change == "another choice" else "sequential:1"
    if change == "another image":
        write_image_folder(photos, 5)
    with monkeypatch.context() as patch:
        patch.setattr("tiepoint.collection.run.stages.write_selected_pairs", _killed)
        with pytest.raises(KeyboardInterrupt):
            match_collection(photos, out, pairs=pairs, **QUICK)
    assert read_status(out).is_complete == (change == "none")
    match_collection(photos, out, pairs=pairs, **QUICK)
    assert read_status(out).is_complete


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
def test_name_that_is_not_utf8_is_left_out(photos: Path, out: Path):
    name = os.fsdecode(b"caf\xe9.jpg")
    try:
        shutil.copy(photos / "view 1.png", photos / name)
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    for number in (1, 2, 3, 4):
        (photos / f"view {number}.png").rename(photos / f"{number}.png")  # COLMAP's text files take no spaces
    report = match_collection(photos, out, **QUICK)
    assert (report.files, report.images, report.pairs) == (5, 4, 6)
    (problem,) = report.problems
    assert repr(name) in problem
    assert problem.endswith("; rename the file")
    collection = open_collection(out)
    assert all(export_as(collection, form).exists() for form in MATCH_EXPORTS)
    assert reconstruct(collection).images == 4
    assert write_html_view(collection).is_file()
    assert read_status(out).is_complete


def test_without_verification(photos: Path, out: Path):
    report = match_collection(photos, out, verify=False, **QUICK)
    assert report.new == {"features": 4, "matches": 6}
    assert all(open_collection(out).geometry(*pair) is None for pair in open_collection(out).pairs())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["ü ö/ä-ß 日本.png", "a | b@0123456789abcdef.png", 'tab\there "q".png', "a-b/c.png"]
)
def test_any_name(photos: Path, out: Path, name: str):
    target = photos / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(photos / "view 4.png", target)
    (photos / "a").mkdir()
    shutil.move(photos / "view 3.png", photos / "a" / "b-c.png")
    report = match_collection(photos, out, **QUICK)
    assert report.success
    collection = open_collection(out)
    assert {image.name for image in collection.images} >= {name, "a/b-c.png"}
    assert sum(name in pair for pair in collection.pairs()) == 3


@pytest.mark.slow
def test_corrupt_files_are_problems(photos: Path, out: Path):
    (photos / "empty.png").touch()
    (photos / "page.jpg").write_text("<html>")
    content = (photos / "view 2.png").read_bytes()
    (photos / "view 1b.png").write_bytes(content[: len(content) // 2])  # its header is fine
    report = match_collection(photos, out, **QUICK)
    assert (report.files, report.images, report.pairs) == (7, 4, 6)
    assert len(report.problems) == 3
    assert all(
        any(name in line for line in report.problems) for name in ("empty.png", "page.jpg", "view 1b.png")
    )
    assert "view 1b.png" not in [image.name for image in open_collection(out).images]


@pytest.mark.slow
def test_duplicates_are_kept_and_reported(photos: Path, out: Path):
    shutil.copy(photos / "view 1.png", photos / "twin.png")
    report = match_collection(photos, out, **QUICK)
    (problem,) = report.problems
    assert problem.startswith("twin.png and view 1.png are duplicates")
    assert problem.endswith("; remove all but one")
    assert (report.files, report.images, report.pairs) == (5, 5, 10)
    assert len(open_collection(out).images) == 5


def test_one_image_gives_no_pair(tmp_path: Path, out: Path):
    report = match_collection(write_image_folder(tmp_path / "one", 1), out, **QUICK)
    assert (report.images, report.pairs) == (1, 0)
    assert len(report.problems) == 1
    assert "no pairs" in report.problems[0]


def test_a_list_with_unknown_names(photos: Path, out: Path, tmp_path: Path):
    listed = tmp_path / "pairs.txt"
    listed.write_text("view 1.png\tview 2.png\nview 1.png\tview 9.png\n")
    report = match_collection(photos, out, pairs=f"list:{listed}", **QUICK)
    assert report.pairs == 1
    assert any("view 9.png" in problem and ":2:" in problem for problem in report.problems)


@pytest.mark.slow
def test_list_is_found_from_another_working_directory(
    photos: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "l.txt").write_text("view 1.png\tview 2.png\n")
    monkeypatch.chdir(tmp_path)
    assert match_collection(photos, out, pairs="list:l.txt", stop_after="match", **QUICK).pairs == 1
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert resume_collection(out, stop_after="verify").pairs == 1
    assert open_collection(out).settings["pairs"] == f"list:{tmp_path / 'l.txt'}"
    assert read_status(out).is_complete


@pytest.mark.slow
def test_changed_list_is_another_selection(
    photos: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    listed = tmp_path / "l.txt"
    listed.write_text("view 1.png\tview 2.png\n")
    match_collection(photos, out, pairs=f"list:{listed}", **QUICK)
    listed.write_text("view 1.png\tview 2.png\nview 1.png\tview 3.png\n")
    assert read_status(out).is_complete  # the last run had another list
    with monkeypatch.context() as patch:
        patch.setattr("tiepoint.collection.run.stages.write_selected_pairs", _killed)
        with pytest.raises(KeyboardInterrupt):
            match_collection(photos, out, pairs=f"list:{listed}", **QUICK)
    status = read_status(out)
    assert not status.pairs_are_current
    assert not status.is_complete
    match_collection(photos, out, pairs=f"list:{listed}", **QUICK)
    listed.unlink()
    assert read_status(out).is_complete
    again = match_collection(photos, out, stop_after="extract", **QUICK)
    assert again.options["pairs"] == f"list:{listed}"
    assert read_status(out).is_complete


@pytest.mark.slow
def test_failed_run_keeps_the_former_report(photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch):
    match_collection(photos, out, **QUICK)
    before = [(out / name).read_bytes() for name in ("report.json", "report.html")]
    with monkeypatch.context() as patch:
        patch.setattr("tiepoint.collection.run.stages.write_selected_pairs", _killed)
        with pytest.raises(KeyboardInterrupt):
            match_collection(photos, out, **QUICK)
    with pytest.raises(InvalidInput, match="missing"):
        match_collection(photos / "missing", out, **QUICK)
    assert [(out / name).read_bytes() for name in ("report.json", "report.html")] == before
    match_collection(photos, out, **QUICK)
    assert (out / "report.json").read_bytes() != before[0]


@pytest.mark.slow
def test_a_run_with_other_options_keeps_the_former_records(
    photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch
):
    match_collection(photos, out, **QUICK)
    with monkeypatch.context() as patch:
        patch.setattr("tiepoint.collection.run.stages.write_selected_pairs", _killed)
        with pytest.raises(KeyboardInterrupt):
            match_collection(photos, out, **(QUICK | {"max_keypoints": 32}))
    assert match_collection(photos, out, **QUICK).new == {}


@pytest.mark.slow
def test_invalid_options_keep_the_old_report(photos: Path, out: Path):
    match_collection(photos, out, **QUICK)
    with pytest.raises(InvalidInput, match="max_error_px"):
        match_collection(photos, out, max_error_px=0, **QUICK)
    assert (out / "report.json").is_file()


def test_retrieval_without_faiss_fails_before_starting(
    photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingDependency, match="faiss-cpu"):
        match_collection(photos, out, pairs="retrieval:2", **QUICK)
    assert not out.exists()


@pytest.mark.slow
def test_name_with_a_line_break_keeps_pairs_file_readable(photos: Path, out: Path):
    shutil.copy(photos / "view 1.png", photos / "line\nbreak.png")
    report = match_collection(photos, out, **QUICK)
    assert (report.images, report.pairs) == (4, 6)
    assert any(
        r"'line\nbreak.png': the file name contains a line break" in problem for problem in report.problems
    )
    again = match_collection(photos, out, pairs=f"list:{out / 'pairs.txt'}", **QUICK)
    assert (again.selected, len(again.problems)) == (6, 1)


@pytest.mark.slow
def test_pairs_file_is_a_pair_list(photos: Path, out: Path):
    (photos / "view 1.png").rename(photos / "#1.png")
    match_collection(photos, out, **QUICK)
    again = match_collection(photos, out, pairs=f"list:{out / 'pairs.txt'}", **QUICK)
    assert (again.selected, again.success) == (6, True)
    assert read_status(out).is_complete


@pytest.mark.slow
def test_damaged_shard_is_recomputed(photos: Path, out: Path):
    match_collection(photos, out, **QUICK)
    whole = out.with_name("whole")
    shutil.copytree(out, whole)
    for kind in ("features", "matches", "verified"):
        path = sorted(out.glob(f"stores/{kind}-*/{kind}/*.h5"))[0]
        path.write_bytes(path.read_bytes()[:-100])
    report = match_collection(photos, out, **QUICK)
    assert report.new["features"] >= 1
    assert report.new["matches"] >= 1
    assert report.new["verified"] >= 1
    assert len([note for note in report.notes if "damaged" in note]) == 3
    assert_same_collections(open_collection(out), open_collection(whole))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pairs": "everything"}, "everything"),
        ({"pairs": "list:nowhere.txt"}, "nowhere.txt"),
        ({"preset": "sift"}, "sift"),
        ({"executor": "threads:3"}, "threads:3"),
        ({"executor": "processes:0"}, "processes:0"),
        ({"views": "rotation"}, "views"),
        ({"max_error_px": 0}, "max_error_px"),
        ({"max_error_px": float("nan")}, "max_error_px"),
    ],
    ids=["pairs", "list", "preset", "executor", "count", "views", "zero", "nan"],
)
def test_options_are_validated_before_starting(photos: Path, out: Path, options: dict, message: str):
    with pytest.raises(InvalidInput, match=message):
        match_collection(photos, out, **options)
    assert not out.exists()


def test_an_empty_folder(tmp_path: Path, out: Path):
    with pytest.raises(InvalidInput, match="images"):
        match_collection(tmp_path, out, **QUICK)


def test_only_corrupt_files(tmp_path: Path, out: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(InvalidInput, match=r"a\.jpg"):
        match_collection(tmp_path / "photos", out, **QUICK)


def test_output_folder_with_unexpected_files_is_refused(photos: Path, tmp_path: Path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InvalidInput, match="not a tiepoint collection"):
        match_collection(photos, tmp_path, **QUICK)


@pytest.mark.slow
def test_output_folder_of_another_version_is_refused(photos: Path, out: Path):
    match_collection(photos, out, **QUICK)
    path = out / "collection.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(StoreError, match="version 2"):
        match_collection(photos, out, **QUICK)


def test_output_path_is_a_file(photos: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="file"):
        match_collection(photos, tmp_path / "file", **QUICK)


@pytest.mark.slow
def test_object_storage(photos: Path, out: Path):
    import fsspec

    url = f"memory://{out.name}-{id(out)}"
    there = match_collection(photos, out, stores=url, **QUICK)
    assert there.new == {"features": 4, "matches": 6, "verified": 6}
    assert fsspec.filesystem("memory").find(url)
    assert not (out / "stores").exists()
    local = out.with_name("local")
    match_collection(photos, local, **QUICK)
    assert_same_collections(open_collection(out), open_collection(local))
    assert match_collection(photos, out, stores=url, **QUICK).new == {}


@pytest.mark.slow
def test_output_folder_without_state_is_resumed(photos: Path, out: Path):
    match_collection(photos, out, **QUICK)
    (out / "collection.json").unlink()
    assert match_collection(photos, out, **QUICK).new == {}
