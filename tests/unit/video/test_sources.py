"""Addresses of videos: cameras of each operating system, URLs without credentials, paths."""

import sys
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.video import sources
from tiepoint.video.sources import available_cameras, camera_source, is_url, video_source


@pytest.mark.parametrize(
    ("system", "location", "name", "options"),
    [
        ("linux", "/dev/video2", "v4l2", {}),
        ("darwin", "2:none", "avfoundation", {"framerate": "30"}),
        ("win32", "video=C", "dshow", {}),
    ],
)
def test_cameras_of_each_system(
    system: str, location: str, name: str, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    """The addresses that FFmpeg documents; cameras themselves are not tested here."""
    monkeypatch.setattr(sys, "platform", system)
    devices = [SimpleNamespace(name=name, media_types=["video"]) for name in "ABC"]
    devices.insert(1, SimpleNamespace(name="microphone", media_types=["audio"]))
    monkeypatch.setattr(av, "enumerate_input_devices", lambda _: devices, raising=False)
    source = camera_source(2)
    assert (source.location, source.format, dict(source.options)) == (location, name, options)
    assert (source.kind, source.path) == ("camera", None)
    assert source.name.startswith("camera 2")


def test_a_missing_camera_on_windows_lists_the_others(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "win32")
    device = SimpleNamespace(name="HD Webcam", media_types=[])
    monkeypatch.setattr(av, "enumerate_input_devices", lambda _: [device], raising=False)
    with pytest.raises(InvalidInput, match="no camera 1: expected one of 'HD Webcam'"):
        camera_source(1)
    monkeypatch.setattr(av, "enumerate_input_devices", lambda _: [], raising=False)
    with pytest.raises(InvalidInput, match="no camera was found"):
        camera_source(0)


def test_a_pyav_that_cannot_list_cameras(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(av, "enumerate_input_devices", raising=False)
    assert available_cameras() == []
    with pytest.raises(MissingDependency, match="upgrade av"):
        camera_source(0)


def test_devices_are_listed_in_numeric_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sources, "DEVICE_FOLDER", str(tmp_path))
    for name in ("video10", "video2", "null"):
        (tmp_path / name).touch()
    assert [Path(path).name for path in available_cameras()] == ["video2", "video10"]


def test_a_negative_index_is_refused():
    with pytest.raises(InvalidInput, match="-1"):
        video_source(-1)


@pytest.mark.parametrize(
    ("url", "kind", "name"),
    [
        ("rtsp://user:pass@10.0.0.2:554/live", "stream", "rtsp://***@10.0.0.2:554/live"),
        ("rtsp://host/user=a_password=b?channel=1", "stream", "rtsp://host/user=***?***"),
        ("RTMP://host/app", "stream", "RTMP://host/app"),
        ("udp://0.0.0.0:1234", "stream", "udp://0.0.0.0:1234"),
        ("https://host/clip.mp4?token=secret#t", "url", "https://host/clip.mp4?***"),
    ],
)
def test_urls(url: str, kind: str, name: str):
    source = video_source(url)
    assert (source.location, source.kind, source.name) == (url, kind, name)
    assert source.format is None


def test_rtsp_uses_tcp():
    assert video_source("rtsp://host/live").options == {"rtsp_transport": "tcp"}
    assert video_source("udp://host:1").options == {}


def test_paths_and_devices(tmp_path: Path):
    source = video_source(tmp_path / "clip.mp4")
    assert (source.kind, source.path, source.name) == (
        "file",
        tmp_path / "clip.mp4",
        str(tmp_path / "clip.mp4"),
    )
    assert video_source("/dev/video0").kind == "camera"
    assert video_source("/dev/stdin").kind == "file"
    assert not is_url(r"C:\clip.mp4")
    assert not is_url("c:/clip.mp4")
