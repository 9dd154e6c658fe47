"""`tiepoint collection`: what it prints, what it exits with, and that steps are the same as one run."""

import json
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from tests.small_collections import QUICK, SMALL, assert_same_collections, write_photographs

from tiepoint.cli import main
from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.runner import match_collection

OPTIONS = ("--preset", "aliked-t16+nearest", "--resize", "128", "--max-keypoints", "64", "--device", "cpu")

pytestmark = pytest.mark.weights


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photographs(tmp_path / "photos", 4)


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
    code, said, _ = command("run", photos, out, *OPTIONS)
    assert code == 0
    assert "4 of 4" in said
    assert "6 of 6" in said
    report = json.loads((out / "report.json").read_text())
    assert report["pairs"] == 6
    assert command("status", out)[0] == 0
    shard = next(out.glob("stores/matches-*/matches/*.h5"))
    shard.write_bytes(shard.read_bytes()[:100])
    code, _, complaints = command("status", out)
    assert code == 1
    assert shard.name in complaints
    assert command("verify", out, "-q")[0] == 0
    assert command("status", out)[0] == 0


def test_steps_are_the_same_as_one_run(photos: Path, tmp_path: Path, command):
    steps, whole = tmp_path / "steps", tmp_path / "whole"
    assert command("extract", photos, steps, *OPTIONS)[0] == 0
    code, _, complaint = command("status", steps)
    assert code == 1
    assert f"tiepoint collection pairs {steps}" in complaint
    assert command("pairs", steps, "--pairs", "sequential:2")[0] == 0
    assert command("extract", photos, steps, *OPTIONS)[0] == 0
    assert len((steps / "pairs.txt").read_text().splitlines()) == 1 + 5  # a comment, and a line a pair
    assert command("match", steps)[0] == 0
    assert command("verify", steps)[0] == 0
    assert command("status", steps)[0] == 0
    match_collection(photos, whole, pairs="sequential:2", **QUICK)
    assert_same_collections(open_collection(steps), open_collection(whole))


def test_what_is_left_out_makes_exit_code_1_after_all_else_is_done(photos: Path, tmp_path: Path, command):
    for number in range(3):
        (photos / f"bad {number}.jpg").write_bytes(b"\xff\xd8\xff no photograph")
    code, said, complaints = command("run", photos, tmp_path / "out", *OPTIONS)
    assert code == 1
    assert "4 of 7" in said
    assert "6 of 6" in said
    assert [f"bad {number}.jpg" in line for number, line in enumerate(complaints.splitlines()[-3:])] == [
        True
    ] * 3
    assert len(list(open_collection(tmp_path / "out").pairs())) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "empty", "out"), "photographs"),
        (("run", "nowhere", "out"), "nowhere"),
        (("run", "photos", "photos"), "no collection"),
        (("run", "photos", "out", "--pairs", "list:gone.txt"), "gone.txt"),
        (("run", "photos", "out", "--executor", "ray:127.0.0.1:9"), "Ray cluster"),
        (("run", "photos", "out", "--executor", "cluster"), "cluster"),
        (("status", "photos"), "no collection"),
        (("match", "nowhere"), "no collection"),
    ],
    ids=["empty", "missing", "strangers", "list", "ray", "executor", "status", "match"],
)
def test_one_line_says_what_is_wrong(
    photos: Path, tmp_path: Path, command, monkeypatch: pytest.MonkeyPatch, arguments: tuple, message: str
):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    quick = (*OPTIONS, "-q") if arguments[0] == "run" else ()
    code, _, complaint = command(*arguments, *quick)
    assert code == 1
    assert message in complaint
    assert complaint.startswith("tiepoint: ")
    assert complaint.count("\n") == 1


def test_the_castle_is_one_scene(castle: Collection):
    """Real photographs: every pair of neighbours has many inliers."""
    names = [photograph.name for photograph in castle.photographs]
    assert len(names) == 11
    assert len(list(castle.pairs())) == 55
    for pair in pairwise(names):
        estimate = castle.verified(*pair)
        assert estimate is not None
        assert estimate.num_inliers > 50


def test_a_pair_gives_what_it_gives_alone(photos: Path, tmp_path: Path):
    """Matched in shards with others, or with no other: the same."""
    match_collection(photos, tmp_path / "all", **SMALL)
    (tmp_path / "pairs.txt").write_text("view 2.png\tview 3.png\n")
    match_collection(photos, tmp_path / "one", pairs=f"list:{tmp_path / 'pairs.txt'}", **SMALL)
    one, both = open_collection(tmp_path / "one"), open_collection(tmp_path / "all")
    (pair,) = one.pairs()
    matches, scores = one.matches(*pair)
    assert matches.tolist() == both.matches(*pair)[0].tolist()
    # the rule of docs/architecture.md for real weights: kernels round in another order for another number of rows
    assert scores == pytest.approx(both.matches(*pair)[1], abs=1e-4)
