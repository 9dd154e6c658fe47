"""read_frames: folders, lists and videos, one frame at a time; unreadable frames keep their index."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.helpers.fake_video import WAIT_S, FakeClock
from tests.helpers.numbered_video import COUNT, noisy
from tests.helpers.paths import REPOSITORY
from tests.helpers.video_servers import RATE, SIZE, VideoServer, free_port, serving

from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.video import frames as frames_module, opening, read_frames
from tiepoint.video.encoding import video_writer
from tiepoint.video.frames import ReadOptions, find_video, open_frames
from tiepoint.video.live import Clock
from tiepoint.video.sources import VideoSource


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Frames 2, 3 (broken) and 10, and a text file."""
    for number in (2, 10):
        PIL.Image.new("L", (8, 6), number).save(tmp_path / f"frame{number}.png")
    (tmp_path / "frame3.png").write_bytes(b"no image")
    (tmp_path / "notes.txt").write_text("notes")
    return tmp_path


def test_a_folder_is_read_in_natural_sort_order_and_unreadable_frames_keep_their_index(folder: Path):
    first, broken, last = read_frames(folder)
    assert isinstance(first, Image)
    assert isinstance(last, Image)
    assert (int(first.pixels[0, 0, 0]), int(last.pixels[0, 0, 0])) == (2, 10)
    assert isinstance(broken, InvalidInput)
    assert "frame3.png" in str(broken)
    assert read_frames(folder).length == 3


def test_all_image_types_are_accepted_as_frames():
    gray = np.zeros((2, 6, 8), np.uint8)
    assert [image.image_size for image in read_frames([gray[0], Image(pixels=frame(1))])] == [(8, 6), (8, 6)]
    stack = np.zeros((4, 6, 8, 3), np.uint8)
    assert len(list(read_frames(stack))) == 4
    assert read_frames(stack).length == 4
    assert read_frames(iter([])).length is None
    assert read_frames(stack).rate is None


def frame(value: int):
    return read(PIL.Image.new("RGB", (8, 6), (value, value, value))).pixels


def read(image: PIL.Image.Image) -> Image:
    (one,) = read_frames([image])
    assert isinstance(one, Image)
    return one


def test_frames_are_read_lazily(folder: Path):
    asked = []

    def paths():
        for path in sorted(folder.glob("*.png")):
            asked.append(path)
            yield path

    frames = read_frames(paths())
    assert asked == []
    next(frames)
    assert len(asked) == 1


def test_a_single_image_is_refused():
    with pytest.raises(InvalidInput, match="got one image"):
        read_frames(np.zeros((6, 8, 3), np.uint8))


def test_one_image_file_is_one_frame(folder: Path):
    assert len(list(read_frames(folder / "frame2.png"))) == 1


def test_a_missing_video_is_named(tmp_path: Path):
    with pytest.raises(InvalidInput, match=r"clip\.mp4 does not exist"):
        read_frames(tmp_path / "clip.mp4")


def test_a_video_is_read_completely_or_up_to_a_number_of_frames(clip: Path):
    frames = read_frames(clip)
    assert (frames.length, frames.rate, frames.is_live, frames.name) == (COUNT, 12, False, str(clip))
    assert len(list(frames)) == COUNT
    assert (frames.num_dropped, frames.seconds) == (0, None)
    with read_frames(str(clip), max_frames=5) as some:
        assert len(list(some)) == 5
    assert next(some, None) is None


def test_unreadable_frames_do_not_count(folder: Path):
    assert [isinstance(item, Image) for item in read_frames(folder, max_frames=2)] == [True, False, True]


@pytest.mark.parametrize(
    ("options", "word"),
    [({"max_frames": 0}, "max_frames"), ({"max_seconds": -1}, "max_seconds")],
)
def test_invalid_limits_are_refused(options: dict, word: str, clip: Path):
    with pytest.raises(InvalidInput, match=word):
        read_frames(clip, **options)


@pytest.mark.parametrize("options", [{"live": True}, {"max_seconds": 1}, {"input_options": {"a": "b"}}])
def test_options_of_videos_are_refused_for_images(options: dict, folder: Path):
    with pytest.raises(InvalidInput, match=next(iter(options))):
        read_frames(folder, **options)


def test_a_time_limit_needs_a_live_source(clip: Path):
    with pytest.raises(InvalidInput, match=r"max_seconds=1 needs a live source, got .*clip\.mp4"):
        read_frames(clip, max_seconds=1)


def test_a_file_is_played_live(clip: Path):
    """The caller is busy until the thread has decoded everything, without waiting in real time."""
    clock = FakeClock()
    options = ReadOptions(live=True, clock=Clock(clock.now, lambda _: None))
    with open_frames(clip, None, options) as frames:
        first = next(frames)
        assert isinstance(first, Image)
        assert frames.live is not None
        assert frames.live._thread is not None
        frames.live._thread.join(WAIT_S)
        clock.time = 4.0
        rest = list(frames)
    assert len(rest) <= 1
    assert 0 <= frames.num_dropped <= COUNT - 1 - len(rest)
    assert (frames.is_live, frames.seconds) == (True, 4.0)


def test_the_time_limit_counts_from_the_first_frame(clip: Path):
    clock = FakeClock()
    options = ReadOptions(live=True, max_seconds=2.0, clock=Clock(clock.now, lambda _: None))
    with open_frames(clip, None, options) as frames:
        clock.time = 100.0
        next(frames)
        clock.time = 101.9
        assert next(frames, None) is not None
        clock.time = 102.0
        assert next(frames, None) is None


@pytest.mark.parametrize("is_live", [True, False])
def test_a_camera_is_live_unless_asked_otherwise(is_live: bool, monkeypatch: pytest.MonkeyPatch):
    """FFmpeg's test pattern replaces the camera, which is not tested here."""
    pattern = VideoSource(
        location="testsrc=size=32x24:rate=10:duration=2", name="camera 0", kind="camera", format="lavfi"
    )
    monkeypatch.setattr(frames_module, "video_source", lambda location: pattern)
    options = {} if is_live else {"live": False}
    with read_frames(0, max_frames=20, **options) as frames:
        images = list(frames)
    assert frames.is_live is is_live
    assert 1 <= len(images) + frames.num_dropped <= 20
    assert {image.image_size for image in images if isinstance(image, Image)} == {(32, 24)}
    assert frames.num_dropped == 0 or is_live


@pytest.mark.parametrize(
    ("url", "is_forced", "is_video"),
    [
        ("http://host/a.jpg?x=1", False, False),
        ("http://host/a.jpg", True, True),
        ("http://host/video.mjpg", False, True),
        ("rtsp://host/live", False, True),
    ],
)
def test_urls_of_images_and_videos(url: str, is_forced: bool, is_video: bool):
    source = find_video(url, is_forced=is_forced)
    assert (source is not None) == is_video


def test_one_image_at_a_url_is_one_frame():
    frames = read_frames("http://user:secret@127.0.0.1:9/a.jpg")
    assert frames.length == 1
    (problem,) = frames
    assert "secret" not in str(problem)
    assert frames.name == "http://***@127.0.0.1:9/a.jpg"


def test_a_truth_value_is_no_camera():
    with pytest.raises(InvalidInput, match="got one image"):
        read_frames(True)


def test_a_file_on_a_server_is_read_completely(tmp_path: Path):
    path = tmp_path / "clip.mkv"
    with video_writer(path, Fraction(12)) as write:
        for number in range(COUNT):
            write(noisy(number, (64, 48)))
    with serving(VideoServer(path)) as server, read_frames(server.url("/clip.mkv", "u:secret@")) as frames:
        images = list(frames)
    assert [isinstance(image, Image) for image in images] == [True] * COUNT
    assert (frames.is_live, frames.num_dropped) == (False, 0)
    assert "secret" not in str(frames.name)


def test_a_stream_on_a_server_is_live():
    with serving(VideoServer(num_frames=30)) as server, read_frames(server.url("/camera")) as frames:
        *images, problem = frames
    assert frames.is_live
    assert 1 <= len(images) + frames.num_dropped <= 30
    assert "the connection was lost" in str(problem), "MJPEG has no end of its own"
    assert all(isinstance(image, Image) and image.image_size == SIZE for image in images)


def test_a_stream_that_stalls_is_lost(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(opening, "TIMEOUT_S", 0.5)
    with (
        serving(VideoServer(num_frames=300, stalls=True)) as server,
        read_frames(server.url("/camera", "u:secret@")) as frames,
    ):
        *images, problem = frames
    assert images
    assert isinstance(problem, InvalidInput)
    assert "the connection was lost (no data for 0.5 s)" in str(problem)
    assert "secret" not in str(problem)


def test_rtsp_without_a_frame_dropped(capfd: pytest.CaptureFixture[str]):
    url = f"rtsp://user:secret@127.0.0.1:{free_port()}/live"
    # in another process: in a thread, PyAV waits for the listener's answer while it holds the interpreter lock
    pusher = subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.video_servers", url, "20"], cwd=REPOSITORY
    )
    options = {"rtsp_flags": "listen", "listen_timeout": "60"}
    with read_frames(url, live=False, input_options=options) as frames:
        images = list(frames)
    assert pusher.wait(60) == 0
    assert len(images) == 20
    assert {image.image_size for image in images if isinstance(image, Image)} == {SIZE}
    assert frames.rate == RATE
    assert "secret" not in "".join([str(frames.name), *capfd.readouterr()])
