"""`tiepoint find` and `tiepoint track` in separate processes, on real images."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tiepoint.geometry.estimate import estimate_fundamental
from tiepoint.image.listing import find_images
from tiepoint.video import Tracks, read_frames

pytestmark = [pytest.mark.weights, pytest.mark.real]

QUICK = ("--preset", "aliked-t16+nearest", "--resize", "320", "--max-keypoints", "512", "--threshold", "0.7")
MAIN = "from tiepoint.cli import main; main()"


def tiepoint(*arguments: object, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command in a separate process and check its exit status."""
    command = [sys.executable, "-c", MAIN, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def frames(shared_data: Path, tmp_path: Path) -> Path:
    """The first six frames of the Freiburg sequence, the fourth one damaged."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, path in enumerate(find_images(shared_data / "superglue_assets" / "freiburg_sequence")[:6]):
        shutil.copy(path, folder / f"{number}.jpg")
    (folder / "3.jpg").write_bytes((folder / "3.jpg").read_bytes()[:2000])
    return folder


def test_a_sequence_with_a_broken_frame_is_tracked(frames: Path, tmp_path: Path):
    done = tiepoint("track", frames, "-o", "t.npz", "--video", "t.mp4", *QUICK[2:], cwd=tmp_path, code=1)
    assert "tiepoint: frame 3 was skipped: " in done.stderr
    assert "tracks through 5 frames" in done.stdout
    assert "Traceback" not in done.stderr
    assert len(list(read_frames(tmp_path / "t.mp4"))) == 6
    with np.load(tmp_path / "t.npz") as saved:
        assert set(saved["frames"].tolist()) == {0, 1, 2, 4, 5}
        rows = {name: saved[name] for name in ("track_ids", "frames", "points", "scores")}
    tracks = Tracks(**rows, num_frames=6, image_size=(640, 480))
    assert len(tracks) > 200
    for pair in ((0, 1), (1, 4), (4, 5)):
        estimate = estimate_fundamental(*tracks.between(*pair), max_error_px=2.0)
        assert len(estimate.inliers) > 40
        assert estimate.num_inliers > 0.85 * len(estimate.inliers)


def test_an_output_video_can_be_tracked(frames: Path, tmp_path: Path):
    (frames / "3.jpg").unlink()
    tiepoint("track", frames, "--video", "a.mp4", "--rate", "5", *QUICK, cwd=tmp_path)
    done = tiepoint("track", "a.mp4", "--json", "-", *QUICK, cwd=tmp_path)
    tracks = json.loads(done.stdout)
    assert (tracks["num_frames"], tracks["image_size"]) == (5, [640, 480])
    assert max(tracks["track_ids"]) > 100


@pytest.mark.parametrize("given", ["missing.mp4", "empty"])
def test_nothing_to_track_is_reported_in_one_line(given: str, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    done = tiepoint("track", given, "-o", "t.npz", "-q", *QUICK, cwd=tmp_path, code=1)
    assert done.stderr.startswith("tiepoint: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "t.npz").exists()


def test_a_scene_is_found_and_the_second_query_uses_the_cache(shared_data: Path, tmp_path: Path):
    folder = tmp_path / "photos"
    folder.mkdir()
    source = shared_data / "superglue_assets" / "phototourism_sample_images"
    for path in sorted(source.glob("piazza*"))[:3] + sorted(source.glob("london*"))[:3]:
        shutil.copy(path, folder)
    (folder / "broken.jpg").write_bytes(b"broken")
    (folder / "notes.txt").write_text("not an image")
    query = sorted(folder.glob("piazza*"))[0]
    arguments = ("find", query, "photos", "--cache", "cache", *QUICK[2:6])
    done = tiepoint(*arguments, "--json", "r.json", "-o", "found.jpg", cwd=tmp_path, code=1)
    assert "skipped: " in done.stderr
    assert "broken.jpg" in done.stderr
    assert "notes.txt" not in done.stderr
    first = json.loads((tmp_path / "r.json").read_text())
    assert first["compared"] == 5
    assert ["piazza" in row["image"] for row in first["found"]] == [True, True, False, False, False]
    assert (tmp_path / "found.jpg").stat().st_size > 10_000
    again = json.loads(tiepoint(*arguments, "--json", "-", "-q", cwd=tmp_path, code=1).stdout)
    assert again == first
