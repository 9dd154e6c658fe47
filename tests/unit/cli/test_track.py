"""`tiepoint track`: arguments that reach the library, and its output."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.synthetic_sequences import SIZE, KnownSequence, sliding
from typer.testing import CliRunner, Result

from tiepoint import video
from tiepoint.cli import app
from tiepoint.video import Observations, Tracker, Tracks


def tracks_of(frames: int, problems: tuple[str, ...] = ()) -> Tracks:
    sequence = KnownSequence(sliding(frames))
    tracker = Tracker(sequence)
    parts = [tracker.step(image) for image in sequence.images()]
    return Tracks.of(
        Observations.joined(parts),
        num_frames=frames + len(problems),
        image_size=SIZE,
        keyframes=tuple(tracker.keyframes),
        problems=problems,
    )


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments passed to `track_to_files`; "tracks" is returned."""
    passed: dict[str, Any] = {"tracks": tracks_of(6)}

    def track_to_files(frames: Any, output: Path | None, **options: Any) -> Tracks:
        passed.update(options, frames=frames, output=output)
        return passed["tracks"]

    monkeypatch.setattr(video, "track_to_files", track_to_files)
    return passed


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["track", *arguments], catch_exceptions=False)


def test_the_summary(passed: dict[str, Any]) -> None:
    result = run("clip.mp4", "-o", "t.npz")
    assert result.exit_code == 0
    assert "tracks through 6 frames, median length" in result.stdout
    assert "tracks: t.npz" in result.stdout
    assert (passed["frames"], passed["output"]) == (Path("clip.mp4"), Path("t.npz"))
    assert (passed["max_keypoints"], passed["resize"]) == (1024, 640)
    assert passed["progress"] is True


def test_options_reach_the_library(passed: dict[str, Any]) -> None:
    words = "a.jpg b.jpg --video v.mp4 --rate 29.97 --min-tracked 0.2 --json t.json --max-keypoints 9 -q"
    result = run(*words.split())
    assert result.stdout == ""
    assert passed["frames"] == [Path("a.jpg"), Path("b.jpg")]
    assert (passed["video"], passed["json"]) == (Path("v.mp4"), "t.json")
    assert passed["rate"] == Fraction(29.97).limit_denominator(1001)
    assert (passed["min_tracked"], passed["max_keypoints"]) == (0.2, 9)
    assert passed["progress"] is False


@pytest.mark.parametrize(("frames", "text"), [(1, "nothing to track"), (3, "tracks through 3 frames")])
def test_short_sequences(frames: int, text: str, passed: dict[str, Any]) -> None:
    passed["tracks"] = tracks_of(frames)
    assert text in run("frames").stdout


def test_skipped_frames_set_the_exit_status(passed: dict[str, Any]) -> None:
    passed["tracks"] = tracks_of(4, problems=("frame 3 was skipped: truncated",))
    result = run("frames")
    assert result.exit_code == 1
    assert result.stderr == "tiepoint: frame 3 was skipped: truncated\n"


def test_json_to_standard_output(passed: dict[str, Any]) -> None:
    result = run("frames", "--json", "-")
    assert json.loads(result.stdout)["num_frames"] == 6
    assert "tracks through 6 frames" in result.stderr
