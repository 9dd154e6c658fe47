"""Addresses of videos: files, cameras, streams and URLs, and their names in messages, without credentials."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.io.messages import redact_url
from tiepoint.io.validation import check_integer
from tiepoint.video.pyav import import_pyav

SourceKind: TypeAlias = Literal["file", "camera", "stream", "url"]
# camera and stream are live; url is live if its video declares no duration

URL = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
FILE_SCHEMES = ("http", "https", "ftp", "ftps", "sftp", "file")
# Schemes of finished files and of live streams alike; all others are live

DEVICE_FOLDER = "/dev/"
CAMERA_FORMATS = {"darwin": "avfoundation", "win32": "dshow"}
# sys.platform -> input format of FFmpeg; v4l2 elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSource:
    """Address of a video, as FFmpeg opens it.

    Attributes:
        location: Path, device or URL.
        name: Location in messages and results, without credentials.
        kind: Kind of the source.
        format: Name of FFmpeg's input format; None if FFmpeg detects it.
        options: Options of FFmpeg's demuxer and protocol.
    """

    location: str = field(repr=False)
    name: str
    kind: SourceKind
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> Path | None:
        """Path of a file; None for other kinds."""
        return Path(self.location) if self.kind == "file" else None


def video_source(location: int | str | os.PathLike[str]) -> VideoSource:
    """Return the source of a camera index, a device, a URL, or the path of a video.

    Raises:
        InvalidInput: If the camera index is negative, or a camera is not found.
        MissingDependency: On Windows, if PyAV is missing or cannot list the cameras.
    """
    if isinstance(location, int):
        return camera_source(location)
    text = os.fspath(location)
    if is_url(text):
        return _url_source(text)
    if is_device(text):
        return VideoSource(location=text, name=f"camera {text}", kind="camera", format=camera_format())
    return VideoSource(location=text, name=text, kind="file")


def camera_source(index: int) -> VideoSource:
    """Return the source of a camera of this machine.

    Args:
        index: Index of the camera, from 0; N of /dev/videoN on Linux.

    Raises:
        InvalidInput: If the index is negative, or, on Windows, there is no such camera.
        MissingDependency: On Windows, if PyAV is missing or cannot list the cameras.
    """
    index, kind = check_integer("camera index", index, 0), camera_format()
    options: dict[str, str] = {}
    if kind == "avfoundation":  # the default rate, 29.97, is not supported by most cameras
        location, options = f"{index}:none", {"framerate": "30"}
    elif kind == "dshow":
        location = f"video={_camera_name(index)}"
    else:
        location = f"/dev/video{index}"
    name = f"camera {index}" + (f" ({location})" if kind == "v4l2" else "")
    return VideoSource(location=location, name=name, kind="camera", format=kind, options=options)


def camera_format() -> str:
    """Return FFmpeg's input format for the cameras of this operating system."""
    return CAMERA_FORMATS.get(sys.platform, "v4l2")


def available_cameras() -> list[str]:
    """Return the cameras of this machine: devices on Linux, names elsewhere; empty if they cannot be listed."""
    if camera_format() == "v4l2":
        found = Path(DEVICE_FOLDER).glob("video[0-9]*")
        return sorted(map(str, found), key=lambda path: int(re.sub(r"\D", "", path)))
    av = import_pyav()
    try:
        devices = av.enumerate_input_devices(camera_format())
    except (AttributeError, ValueError, av.FFmpegError):  # AttributeError: an older PyAV
        return []
    return [_device_name(device) for device in devices if "audio" not in device.media_types]


def is_url(text: str) -> bool:
    """Return whether a text is a URL rather than a path."""
    return URL.match(text) is not None


def is_device(text: str) -> bool:
    """Return whether a path is a camera, such as /dev/video0, whether or not it is connected."""
    return text.startswith(f"{DEVICE_FOLDER}video") or (
        text.startswith(DEVICE_FOLDER) and Path(text).resolve().name.startswith("video")
    )


def _url_source(url: str) -> VideoSource:
    match = URL.match(url)
    scheme = match[1].lower() if match else ""
    options = {"rtsp_transport": "tcp"} if scheme in ("rtsp", "rtsps") else {}
    kind: SourceKind = "url" if scheme in FILE_SCHEMES else "stream"
    return VideoSource(location=url, name=redact_url(url), kind=kind, options=options)


def _camera_name(index: int) -> str:
    if not hasattr(import_pyav(), "enumerate_input_devices"):
        raise MissingDependency(
            "cannot list the cameras: the installed version of av is too old; pip install --upgrade av"
        )
    names = available_cameras()
    if index >= len(names):
        known = f"expected one of {', '.join(map(repr, names))}" if names else "no camera was found"
        raise InvalidInput(f"there is no camera {index}: {known}; connect it, or use a video or URL")
    return names[index]


def _device_name(device: Any) -> str:
    return str(device.name)
