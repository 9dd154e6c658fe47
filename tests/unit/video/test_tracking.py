"""track and track_to_files with a synthetic matcher: unreadable frames, output files, progress."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
from tests.helpers.fake_video import FakeContainer, Feed, fake_frame, fake_video
from tests.helpers.synthetic_sequences import SIZE, KnownSequence, frame_image, sliding

from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.io.progress import Advance
from tiepoint.types import Features
from tiepoint.video import (
    ReadOptions,
    decoding,
    frames as frames_module,
    read_frames,
    track,
    track_to_files,
    tracking,
)


@pytest.fixture
def sequence(monkeypatch: pytest.MonkeyPatch) -> KnownSequence:
    known = KnownSequence(sliding(8))
    monkeypatch.setattr(tracking, "load", lambda preset, **options: known)
    return known


@pytest.fixture
def folder(sequence: KnownSequence, tmp_path: Path) -> Path:
    path = tmp_path / "frames"
    path.mkdir()
    for number, image in enumerate(sequence.images()):
        image.to_pil().save(path / f"{number}.png")
    return path


def test_a_folder_is_tracked(folder: Path):
    tracks = track(folder)
    assert tracks.num_frames == 8
    assert tracks.image_size == SIZE
    assert tracks.problems == ()
    assert tracks.source == str(folder)
    assert len(tracks) > 40


def test_broken_frames_and_frames_of_another_size_are_skipped_and_reported(folder: Path):
    (folder / "3.png").write_bytes(b"broken")
    PIL.Image.new("RGB", (10, 10)).save(folder / "5.png")
    tracks = track(folder)
    assert tracks.num_frames == 8
    first, second = tracks.problems
    assert first.startswith("frame 3 was skipped: ")
    assert second.startswith("frame 5 was skipped: ")
    assert "64 x 48 px like the first frame, got 10 x 10 px" in second
    assert set(tracks.frames.tolist()) == {0, 1, 2, 4, 6, 7}


def test_one_frame_has_no_tracks(sequence: KnownSequence):
    tracks = track([frame_image(0)])
    assert (len(tracks), tracks.num_frames, tracks.keyframes) == (0, 1, (0,))


def test_no_frames_are_an_error(sequence: KnownSequence, tmp_path: Path):
    for nothing in ([], tmp_path):
        with pytest.raises(InvalidInput, match="got none"):
            track(nothing)


def test_if_all_frames_are_broken_the_first_is_named(sequence: KnownSequence, tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"broken")
    (tmp_path / "b.png").write_bytes(b"broken")
    with pytest.raises(InvalidInput, match=r"none of the 2 frames is usable; frame 0 .*a\.png"):
        track(tmp_path)


def test_tracks_are_written_and_every_frame_is_drawn(folder: Path, tmp_path: Path):
    files = {"output": tmp_path / "t.npz", "json": tmp_path / "t.json", "video": tmp_path / "t.mp4"}
    tracks = track_to_files(folder, **files)
    with np.load(files["output"]) as arrays:
        assert np.array_equal(arrays["track_ids"], tracks.track_ids)
    assert json.loads(files["json"].read_text())["num_frames"] == 8
    drawn = [frame for frame in read_frames(files["video"]) if isinstance(frame, Image)]
    assert [frame.image_size for frame in drawn] == [SIZE] * 8


def test_a_broken_frame_keeps_its_index_in_the_overlay(folder: Path, tmp_path: Path):
    for number in (0, 1, 4):
        (folder / f"{number}.png").write_bytes(b"broken")
    track_to_files(folder, video=tmp_path / "t.mp4", report=tmp_path / "t.html")
    page = (tmp_path / "t.html").read_text(encoding="utf-8")
    assert re.findall(r"frames (\d) and (\d)", page) == [("2", "3"), ("3", "5"), ("5", "6"), ("6", "7")]
    assert len(list(read_frames(tmp_path / "t.mp4"))) == 8
    is_usable: list[bool] = []
    track(
        folder, on_frame=lambda *_: is_usable.append(True), on_problem=lambda problem: is_usable.append(False)
    )
    assert is_usable == [False, False, True, True, False, True, True, True]


def test_a_video_is_tracked_at_its_own_rate(folder: Path, tmp_path: Path, sequence: KnownSequence):
    track_to_files(folder, video=tmp_path / "a.mp4", rate=tracking.Fraction(25))
    assert read_frames(tmp_path / "a.mp4").rate == 25


@pytest.mark.parametrize(
    "files", [{"output": "t.txt"}, {"json": "t.npz"}, {"video": "t.png"}], ids=["o", "j", "v"]
)
def test_output_paths_are_validated_before_starting(
    files: dict[str, str], folder: Path, sequence: KnownSequence
):
    with pytest.raises(InvalidInput, match="cannot write"):
        track_to_files(folder, **files)
    assert sequence.matched == []


def test_a_failure_leaves_no_files(sequence: KnownSequence, tmp_path: Path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InvalidInput, match="got none"):
        track_to_files(empty, tmp_path / "t.npz", video=tmp_path / "t.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_progress_advances_once_per_frame(folder: Path):
    totals, advanced = [], []

    @contextmanager
    def progress(description: str, total: int | None) -> Iterator[Advance]:
        totals.append(total)
        yield advanced.append

    track(folder, progress=progress)
    assert totals == [8]
    assert advanced == [1] * 8


@pytest.fixture
def live_clip(sequence: KnownSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A camera of eight frames: frames 1 to 3 arrive while frame 0 is processed, 4 to 6 during frame 3, and 7 during frame 6."""
    feed = Feed([fake_frame(number) for number in range(8)])
    container = FakeContainer(iter(feed))
    monkeypatch.setattr(frames_module, "open_video", lambda source: fake_video(container))
    monkeypatch.setattr(decoding, "upright_image", lambda frame: frame_image(frame.number))
    arriving = iter([3, 3, 1, 0])

    def extract(image: Image) -> Features:
        feed.send(next(arriving))
        return KnownSequence.extract(sequence, image)

    monkeypatch.setattr(sequence, "extract", extract, raising=False)
    feed.allow(1)
    return tmp_path


def test_frames_that_arrive_meanwhile_are_dropped_and_counted(live_clip: Path):
    dropped: list[int] = []
    tracks = track(0, on_dropped=dropped.append)
    assert dropped == [2, 2]
    assert (tracks.num_frames, tracks.num_dropped, tracks.num_tracked_frames) == (8, 4, 4)
    assert tracks.seconds is not None
    assert tracks.source == "camera 0"
    assert set(tracks.frames.tolist()) <= {0, 3, 6, 7}


def test_dropped_frames_keep_their_time_in_the_overlay(live_clip: Path):
    tracks = track_to_files(0, live_clip / "t.json", video=live_clip / "t.mp4")
    saved = json.loads((live_clip / "t.json").read_text())
    assert (saved["num_dropped"], saved["seconds"]) == (4, tracks.seconds)
    with av.open(str(live_clip / "t.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([0, 3 / 25, 6 / 25, 7 / 25])


def test_tracking_ends_when_asked_to(folder: Path, tmp_path: Path):
    seen: list[Image] = []
    tracks = track(folder, on_frame=lambda image, _: seen.append(image), should_stop=lambda: len(seen) == 3)
    assert (tracks.num_frames, len(seen)) == (3, 3)
    assert track(folder, max_frames=4).num_frames == 4
    assert track_to_files(folder, reading=ReadOptions(max_frames=2)).num_frames == 2


def test_a_lost_camera_ends_the_tracks_with_a_problem(
    sequence: KnownSequence, monkeypatch: pytest.MonkeyPatch
):
    container = FakeContainer([fake_frame(0), av.OSError(5, "Input/output error")])
    monkeypatch.setattr(frames_module, "open_video", lambda source: fake_video(container))
    monkeypatch.setattr(decoding, "upright_image", lambda frame: frame_image(frame.number))
    tracks = track(0)
    (problem,) = tracks.problems
    assert problem.startswith("frame 1 was skipped: camera 0: the connection was lost (Input/output error)")
    assert tracks.num_tracked_frames == 1
