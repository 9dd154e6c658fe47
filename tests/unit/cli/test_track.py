"""`tiepoint track`: arguments that reach the library, and its output."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.synthetic_sequences import SIZE, KnownSequence, sliding
from typer.testing import CliRunner, Result

from tiepoint import video
from tiepoint.cli import app
from tiepoint.video import Observations, Tracker, Tracks
from tiepoint.video.frames import never


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
    assert (passed["frames"], passed["output"]) == ("clip.mp4", Path("t.npz"))
    assert (passed["max_keypoints"], passed["resize"]) == (1024, 640)
    assert passed["progress"] is True


def test_options_reach_the_library(passed: dict[str, Any]) -> None:
    words = "a.jpg b.jpg --video v.mp4 --report t.html --rate 29.97 --min-tracked 0.2 --json t.json --max-keypoints 9 -q"
    result = run(*words.split())
    assert result.stdout == ""
    assert passed["frames"] == ["a.jpg", "b.jpg"]
    assert (passed["video"], passed["json"]) == (Path("v.mp4"), "t.json")
    assert passed["report"] == Path("t.html")
    assert passed["rate"] == Fraction(29.97).limit_denominator(1001)
    assert (passed["min_tracked"], passed["max_keypoints"]) == (0.2, 9)
    assert passed["progress"] is False
    assert not {"max_layers", "latency_budget_ms"} & set(passed)
    run("a.jpg", "b.jpg", "--max-layers", "2", "--latency-budget-ms", "40")
    assert (passed["max_layers"], passed["latency_budget_ms"]) == (2, 40)


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


@pytest.mark.parametrize(
    ("given", "source"),
    [("0", 0), ("12", 12), ("rtsp://host/live", "rtsp://host/live"), ("7.mp4", "7.mp4")],
)
def test_the_source(given: str, source: int | str, passed: dict[str, Any]) -> None:
    run(given)
    assert passed["frames"] == source
    assert type(passed["frames"]) is type(source)


def test_a_file_named_like_a_camera(
    passed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0").mkdir()
    run("0")
    assert passed["frames"] == "0"


def test_options_of_live_sources(passed: dict[str, Any]) -> None:
    run(
        *[
            "0",
            "--no-live",
            "--max-frames",
            "9",
            "--input-option",
            "video_size=640x480",
            "--input-option",
            "a=b=c",
        ]
    )
    reading = passed["reading"]
    assert (reading.live, reading.max_frames, reading.max_seconds) == (False, 9, None)
    assert reading.input_options == {"video_size": "640x480", "a": "b=c"}
    run(*["clip.mp4", "--live", "--max-seconds", "2.5"])
    assert (passed["reading"].live, passed["reading"].max_seconds) == (True, 2.5)


def test_input_options_have_values(passed: dict[str, Any]) -> None:
    result = run("0", "--input-option", "video_size")
    assert result.exit_code == 2
    assert "'video_size'" in result.stderr


def test_the_summary_of_a_live_source(passed: dict[str, Any]) -> None:
    passed["tracks"] = replace(tracks_of(6), num_frames=16, num_dropped=10, seconds=3.0)
    result = run("0")
    assert "tracks through 6 frames" in result.stdout
    assert "live: 6 frames tracked in 3.0 s, 2.0 frames per second; 10 dropped" in result.stdout


@pytest.mark.parametrize(
    ("given", "is_handled"),
    [("0", True), ("rtsp://host/live", True), ("clip.mp4 --live", True), ("clip.mp4", False), ("a b", False)],
)
def test_an_interrupt_ends_only_live_sources_early(
    given: str, is_handled: bool, passed: dict[str, Any]
) -> None:
    run(*given.split())
    assert (passed["reading"].should_stop is not never) == is_handled


def test_threads_are_torch_threads(passed: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    monkeypatch.setattr("torch.set_num_threads", counts.append)
    run("clip.mp4")
    assert counts == []
    run("clip.mp4", "--threads", "1")
    assert counts == [1]
