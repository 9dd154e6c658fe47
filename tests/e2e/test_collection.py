"""`tiepoint collection`: what it prints, what it exits with, and that steps are the same as one run."""

import json
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from tests.helpers.small_collections import QUICK, SMALL, assert_same_collections, write_image_folder
from tests.helpers.synthetic_collections import make_collection

from tiepoint.cli import main
from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.run.runner import match_collection

OPTIONS = ("--preset", "aliked-t16+nearest", "--resize", "128", "--max-keypoints", "64", "--device", "cpu")

pytestmark = pytest.mark.weights


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_image_folder(tmp_path / "photos", 4)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs `tiepoint collection ...`; gives exit code, stdout and stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tiepoint", "collection", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_run_and_status(photos: Path, tmp_path: Path, command):
    out = tmp_path / "out"
    code, stdout, _ = command("run", photos, out, *OPTIONS)
    assert code == 0
    assert "4 of 4" in stdout
    assert "6 of 6" in stdout
    report = json.loads((out / "report.json").read_text())
    assert report["pairs"] == 6
    assert command("status", out)[0] == 0
    shard = next(out.glob("stores/matches-*/matches/*.h5"))
    shard.write_bytes(shard.read_bytes()[:100])
    code, _, stderr = command("status", out)
    assert code == 1
    assert shard.name in stderr
    assert command("verify", out, "-q")[0] == 0
    assert command("status", out)[0] == 0


def test_steps_are_the_same_as_one_run(photos: Path, tmp_path: Path, command):
    steps, whole = tmp_path / "steps", tmp_path / "whole"
    assert command("extract", photos, steps, *OPTIONS)[0] == 0
    code, _, stderr = command("status", steps)
    assert code == 1
    assert f"tiepoint collection pairs {steps}" in stderr
    assert command("pairs", steps, "--pairs", "sequential:2")[0] == 0
    assert command("extract", photos, steps, *OPTIONS)[0] == 0
    assert len((steps / "pairs.txt").read_text().splitlines()) == 5  # one line per pair
    assert command("match", steps)[0] == 0
    assert command("verify", steps)[0] == 0
    assert command("status", steps)[0] == 0
    match_collection(photos, whole, pairs="sequential:2", **QUICK)
    assert_same_collections(open_collection(steps), open_collection(whole))


def test_unreadable_images_exit_with_1_after_all_other_work(photos: Path, tmp_path: Path, command):
    for number in range(3):
        (photos / f"bad {number}.jpg").write_bytes(b"\xff\xd8\xff no image")
    code, stdout, stderr = command("run", photos, tmp_path / "out", *OPTIONS)
    assert code == 1
    assert "4 of 7" in stdout
    assert "6 of 6" in stdout
    assert [f"bad {number}.jpg" in line for number, line in enumerate(stderr.splitlines()[-3:])] == [True] * 3
    assert len(list(open_collection(tmp_path / "out").pairs())) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "empty", "out"), "images"),
        (("run", "nowhere", "out"), "nowhere"),
        (("run", "photos", "photos"), "not a tiepoint collection"),
        (("run", "photos", "out", "--pairs", "list:gone.txt"), "gone.txt"),
        (("run", "photos", "out", "--executor", "ray:127.0.0.1:9"), "Ray cluster"),
        (("run", "photos", "out", "--executor", "cluster"), "cluster"),
        (("status", "photos"), "not a tiepoint collection"),
        (("match", "nowhere"), "not a tiepoint collection"),
    ],
    ids=["empty", "missing", "unexpected-files", "list", "ray", "executor", "status", "match"],
)
def test_errors_are_one_line(
    photos: Path, tmp_path: Path, command, monkeypatch: pytest.MonkeyPatch, arguments: tuple, message: str
):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    quick = (*OPTIONS, "-q") if arguments[0] == "run" else ()
    code, _, stderr = command(*arguments, *quick)
    assert code == 1
    assert message in stderr
    assert stderr.startswith("tiepoint: ")
    assert stderr.count("\n") == 1


def test_one_image_exits_with_1(tmp_path: Path, command):
    photos, out = write_image_folder(tmp_path / "one", 1), tmp_path / "out"
    code, _, stderr = command("run", photos, out, *OPTIONS, "-q")
    assert (code, stderr) == (1, "tiepoint: no pairs: exhaustive selects none among 1 images\n")
    assert len(open_collection(out).images) == 1


def test_duplicates_exit_with_1_after_all_other_work(photos: Path, tmp_path: Path, command):
    shutil.copy(photos / "view 1.png", photos / "twin.png")
    code, _, stderr = command("run", photos, tmp_path / "out", *OPTIONS, "-q")
    assert code == 1
    assert stderr.startswith("tiepoint: twin.png and view 1.png are duplicates")
    assert stderr.count("\n") == 1
    assert len(list(open_collection(tmp_path / "out").pairs())) == 10


def test_unknown_names_in_a_list_exit_with_1(photos: Path, tmp_path: Path, command):
    listed = tmp_path / "l.txt"
    listed.write_text(f"view 1.png\tview 2.png\nview 1.png\tview 9.png\n{'x' * 131_073}\n")
    code, _, stderr = command("run", photos, tmp_path / "out", *OPTIONS, "-q", "--pairs", f"list:{listed}")
    assert code == 1
    assert stderr.splitlines() == [
        f"tiepoint: {listed}:2: 'view 9.png' not found among the 4 images",
        f"tiepoint: {listed}:3: expected two image names, got 1; separate them by a tab, or put names with "
        "spaces in double quotes",
    ]
    assert list(open_collection(tmp_path / "out").pairs()) == [("view 1.png", "view 2.png")]


@pytest.mark.parametrize("name", ["run", "verify", "status", "export", "view"])
def test_output_of_another_format_version_exits_with_1(tmp_path: Path, command, name: str):
    collection, _ = make_collection(tmp_path)
    path, out = collection.folder / "collection.json", collection.folder
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2, "tiepoint": "9.9"}))
    arguments = (tmp_path / "photos", out, *OPTIONS) if name == "run" else (out,)
    code, stdout, stderr = command(name, *arguments)
    assert (code, stdout) == (1, "")
    assert stderr.startswith(f"tiepoint: {out} was created by tiepoint 9.9 with format version 2")


@pytest.mark.parametrize("option", ["--colmap", "--reconstruct"])
def test_problems_are_printed_if_no_image_has_features(photos: Path, tmp_path: Path, command, option: str):
    for path in photos.iterdir():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])  # the headers remain valid
    code, _, stderr = command("run", photos, tmp_path / "out", *OPTIONS, "-q", option)
    lines = stderr.splitlines()
    assert code == 1
    assert [line.startswith(f"tiepoint: view {n}.png: ") for n, line in enumerate(lines[:4], start=1)] == [
        True
    ] * 4
    assert lines[4].startswith("tiepoint: no pairs: ")
    assert lines[-1].endswith("has no image with features; run the collection first")
    assert all(line.startswith("tiepoint: ") for line in lines)


@pytest.mark.parametrize("option", ["--colmap", "--reconstruct"])
def test_pycolmap_is_checked_before_starting(
    photos: Path, tmp_path: Path, command, monkeypatch: pytest.MonkeyPatch, option: str
):
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    code, _, stderr = command("run", photos, tmp_path / "out", *OPTIONS, "-q", option)
    assert code == 1
    assert "pip install 'tiepoint[collection]'" in stderr
    assert stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_relative_list_path(photos: Path, tmp_path: Path, command, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "l.txt").write_text("view 1.png\tview 2.png\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    assert command("run", photos, "out", *OPTIONS, "-q", "--pairs", "list:l.txt")[0] == 0
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert command("verify", tmp_path / "out", "-q")[0] == 0
    assert command("status", tmp_path / "out")[0] == 0


def test_damage_between_run_and_export(photos: Path, tmp_path: Path, command):
    """Missing data is reported, the rest is written, and the command in the message recomputes it."""
    out = tmp_path / "out"
    assert command("run", photos, out, *OPTIONS, "-q")[0] == 0
    shard = sorted(out.glob("stores/features-*/features/*.h5"))[0]
    shard.write_bytes(shard.read_bytes()[:100])
    for step in (("export", out, "--to", "npz", "-q"), ("export", out, "-q"), ("view", out, "-q")):
        code, _, stderr = command(*step)
        assert code == 1
        assert stderr.endswith(f"; to compute what is missing, run: tiepoint collection verify {out}\n")
        assert "1 of 4 images have no features" in stderr
    assert command("verify", out, "-q")[0] == 0
    assert command("export", out, "--to", "npz", "-q") == (0, "", "")


def test_the_castle_is_one_scene(castle: Collection):
    """Real images: each pair of neighbors has many inliers."""
    names = [image.name for image in castle.images]
    assert len(names) == 11
    assert len(list(castle.pairs())) == 55
    for pair in pairwise(names):
        estimate = castle.geometry(*pair)
        assert estimate is not None
        assert estimate.num_inliers > 50


def test_batched_pairs_equal_a_single_pair(photos: Path, tmp_path: Path):
    """The result does not depend on the other pairs of the shard."""
    match_collection(photos, tmp_path / "all", **SMALL)
    (tmp_path / "pairs.txt").write_text("view 2.png\tview 3.png\n")
    match_collection(photos, tmp_path / "one", pairs=f"list:{tmp_path / 'pairs.txt'}", **SMALL)
    one, both = open_collection(tmp_path / "one"), open_collection(tmp_path / "all")
    (pair,) = one.pairs()
    matches, scores = one.matches(*pair)
    assert matches.tolist() == both.matches(*pair)[0].tolist()
    # tolerance for real weights (docs/architecture.md): kernels sum in another order for another number of rows
    assert scores == pytest.approx(both.matches(*pair)[1], abs=1e-4)
