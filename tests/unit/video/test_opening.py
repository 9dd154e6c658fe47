"""Opening videos: one clear line per failure, with what to do, and without credentials."""

import traceback
from typing import Any

import av
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.video import opening
from tiepoint.video.opening import TIMEOUT_S, open_container
from tiepoint.video.sources import VideoSource, video_source


def failure_of(source: VideoSource) -> str:
    with pytest.raises(InvalidInput) as caught:
        open_container(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def raising(error: Exception) -> Any:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise error

    return fail


def test_a_camera_that_is_not_there_names_the_others(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(av, "open", raising(av.FileNotFoundError(2, "No such file", "/dev/video9")))
    monkeypatch.setattr(opening, "available_cameras", lambda: ["/dev/video0"])
    text = failure_of(VideoSource(location="/dev/video9", name="camera 9", kind="camera"))
    assert text.startswith("there is no camera 9; use one of /dev/video0, or ")
    monkeypatch.setattr(opening, "available_cameras", list)
    text = failure_of(VideoSource(location="/dev/video9", name="camera 9", kind="camera"))
    assert text.startswith("there is no camera 9; none is connected: connect one")


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (av.PermissionError(13, "Permission denied", "/dev/video0"), "group video"),
        (av.OSError(16, "Device or resource busy", "/dev/video0"), "close other programs"),
        (ValueError("no container format 'v4l2'"), "use a video or a URL"),
    ],
)
def test_a_camera_that_cannot_be_used(error: Exception, hint: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(av, "open", raising(error))
    text = failure_of(VideoSource(location="/dev/video0", name="camera 0", kind="camera"))
    assert text.startswith("cannot open camera 0 (")
    assert hint in text


def test_credentials_are_neither_in_the_message_nor_in_its_causes():
    """Nothing listens on port 9 of this machine."""
    source = video_source("rtsp://user:secret@127.0.0.1:9/live?token=secret")
    with pytest.raises(InvalidInput, match=r"cannot open rtsp://\*\*\*@127\.0\.0\.1:9/live") as caught:
        open_container(source)
    assert "secret" not in "".join(traceback.format_exception(caught.value, chain=True))


def test_options_and_timeouts_reach_ffmpeg(monkeypatch: pytest.MonkeyPatch):
    passed: dict[str, Any] = {}

    def open_(location: str, **options: Any) -> Any:
        passed.update(options)
        raise av.InvalidDataError(1, "Invalid data")

    monkeypatch.setattr(av, "open", open_)
    failure_of(VideoSource(location="x", name="x", kind="stream", format="rtsp", options={"a": "b"}))
    assert passed == {"format": "rtsp", "options": {"a": "b"}, "timeout": (TIMEOUT_S, TIMEOUT_S)}
    failure_of(VideoSource(location="x", name="x", kind="stream", options={"listen_timeout": "60"}))
    assert passed["timeout"] == (None, TIMEOUT_S)
