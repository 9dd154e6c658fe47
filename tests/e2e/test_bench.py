"""`tiepoint bench` in a separate process, with the published weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tiepoint.presets import PRESETS

pytestmark = [pytest.mark.weights, pytest.mark.real]

MAIN = "from tiepoint.cli import main; main()"
QUICK = ("--resize", "256", "--max-keypoints", "128", "--runs", "2")


def bench(*arguments: object, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command and check its exit status."""
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "bench", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ,
    )
    assert done.returncode == code, done.stderr
    return done


def test_own_images_with_recommendations(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "lightglue_assets"
    photos = folder / "DSC_0410.JPG", folder / "DSC_0411.JPG"
    done = bench(*photos, *QUICK, "--tune", "--json", "bench.json", cwd=tmp_path)
    record = json.loads((tmp_path / "bench.json").read_text())
    assert record["images"] == ["DSC_0410.JPG", "DSC_0411.JPG"]
    assert record["keypoints"] == [128, 128]
    assert record["matches"] > 30
    assert set(record["seconds"]) == {"read", "extract", "match", "pair"}
    assert record["machine"]["gemm_gflops"] > 1
    pruning, threads = record["tuning"]
    assert (pruning["option"], threads["option"]) == ("pruning_min_keypoints", "threads")
    assert {trial["value"] for trial in pruning["trials"]} == {0, 32, 64, 96, 128}
    assert 1 in {trial["value"] for trial in threads["trials"]}
    for promised in (
        f"{record['matches']} matches",
        "GFLOP/s",
        "interquartile range",
        "pairs per second",
        "hard pair",
    ):
        assert promised in done.stdout
    assert done.stderr.startswith("measuring …\n")


def test_all_presets_in_one_table(tmp_path: Path) -> None:
    done = bench(
        "--resize", "160", "--max-keypoints", "64", "--runs", "1", "--json", "all.json", cwd=tmp_path
    )
    record = json.loads((tmp_path / "all.json").read_text())
    measured = [preset["preset"] for preset in record["presets"]]
    assert {"xfeat+lighterglue", "aliked+lightglue", "disk+lightglue", "aliked-t16+nearest"} <= set(measured)
    assert "license" in record["skipped"]["superpoint+lightglue"]
    medians = [preset["seconds"]["pair"]["median"] for preset in record["presets"]]
    assert medians == sorted(medians)
    printed = [
        words[0] for line in done.stdout.splitlines() if (words := line.split()) and words[0] in PRESETS
    ]
    assert printed == measured


def test_the_demo_pair_without_matcher_weights(tmp_path: Path) -> None:
    done = bench(
        "--preset", "aliked-t16+nearest", *QUICK, "--threads", "1", "--json", "-", "--tune", cwd=tmp_path
    )
    record = json.loads(done.stdout)
    assert record["machine"]["threads"] == 1
    assert [tuning["option"] for tuning in record["tuning"]] == ["threads"]
    assert "matches" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["one.jpg"], "expected two images"),
        (["a.jpg", "b.jpg"], "not found: 'a.jpg'"),
        (["--json", "missing/bench.json"], "the folder 'missing' does not exist; create it first"),
        (["--preset", "aliked"], "unknown preset 'aliked'"),
    ],
    ids=["one image", "missing file", "missing folder", "preset"],
)
def test_invalid_input_is_reported_in_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = bench(*arguments, cwd=tmp_path, code=1)
    line = done.stderr.splitlines()[-1]
    assert line.startswith("tiepoint: ")
    assert message in line
    assert done.stdout == ""
