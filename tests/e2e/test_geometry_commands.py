"""Verification, poses and panoramas on the command line, in separate processes, on real images."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

pytestmark = [pytest.mark.weights, pytest.mark.real]

QUICK = ("--preset", "aliked-t16+nearest", "--resize", "480", "--max-keypoints", "512")
MAIN = "from tiepoint.cli import main; main()"


def tiepoint(*arguments: object, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own; its exit code must be `code`."""
    command = [sys.executable, "-c", MAIN, *map(str, arguments), *QUICK]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def graffiti(shared_data: Path) -> tuple[Path, Path]:
    folder = shared_data / "oxford_affine" / "graf"
    return next(folder.glob("img1.*")), next(folder.glob("img2.*"))


def true_homography(shared_data: Path) -> np.ndarray:
    rows = [json.loads(line) for line in (shared_data / "pairs.jsonl").read_text().splitlines()]
    (row,) = [row for row in rows if "graf/img1." in row["a"] and "graf/img2." in row["b"]]
    return np.array(row["H"]).reshape(3, 3)


def test_a_planar_scene_is_stitched_by_its_homography(
    graffiti: tuple[Path, Path], shared_data: Path, tmp_path: Path
) -> None:
    done = tiepoint(
        "stitch", *graffiti, "-o", "p.png", "--overlay", "o.jpg", "--json", "m.json", cwd=tmp_path
    )
    estimate = json.loads((tmp_path / "m.json").read_text())["estimate"]
    assert estimate["num_inliers"] > 50
    corners = np.array([[0, 0, 1], [799, 0, 1], [799, 639, 1], [0, 639, 1]]).T
    found, true = (H @ corners for H in (np.array(estimate["matrix"]), true_homography(shared_data)))
    assert np.linalg.norm(found[:2] / found[2] - true[:2] / true[2], axis=0).mean() < 5
    with PIL.Image.open(tmp_path / "p.png") as panorama, PIL.Image.open(tmp_path / "o.jpg") as overlay:
        assert overlay.size == (800, 640)
        assert 800 < panorama.width < 1600
        assert 640 < panorama.height < 1300
    assert "panorama: p.png\noverlay: o.jpg" in done.stdout


def test_a_pose_flags_its_default_focal_length(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "lightglue_assets"
    done = tiepoint("pose", folder / "DSC_0410.JPG", folder / "DSC_0411.JPG", cwd=tmp_path)
    assert "rotation: " in done.stdout
    assert done.stdout.count("focal length 1228.8 px, a default prior") == 2


@pytest.mark.parametrize("command", [("pose",), ("stitch", "-o", "p.png")], ids=["pose", "stitch"])
def test_a_failure_is_one_line_below_the_verification_and_leaves_nothing(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        PIL.Image.new("RGB", (200, 150), (90, 120, 150)).save(tmp_path / name)
    done = tiepoint(command[0], "a.png", "b.png", *command[1:], cwd=tmp_path, code=1)
    reason = "estimation failed: got 0 matches" if command[0] == "pose" else "no overlap found: no keypoints"
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert "same scene: 0.00 (no keypoints in at least one image" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png"}


def test_matches_are_written_even_if_verification_fails(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        PIL.Image.new("RGB", (200, 150), (90, 120, 150)).save(tmp_path / name)
    done = tiepoint(
        *("match", "a.png", "b.png", "--verify", "homography", "--json", "m.json", "-o", "m.png"),
        cwd=tmp_path,
    )
    assert "homography: failed, got 0 matches" in done.stdout
    assert json.loads((tmp_path / "m.json").read_text())["estimate"]["success"] is False
    assert (tmp_path / "m.png").exists()
