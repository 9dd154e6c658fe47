"""Open videos, cameras and streams with PyAV; errors say what to do, and never contain credentials."""

from pathlib import Path
from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.video.pyav import import_pyav, reason
from tiepoint.video.sources import VideoSource, available_cameras
from tiepoint.video.truncation import is_mp4

OPEN_TIMEOUT_S = 10.0
# Maximum time to connect and to detect the format of a camera or stream
TIMEOUT_S = 10.0
# Maximum time to wait for data of a camera or stream


def open_container(source: VideoSource) -> Any:
    """Open a video that has a video stream.

    Args:
        source: Address of the video.

    Returns:
        Open container of PyAV.

    Raises:
        InvalidInput: If the source does not exist, cannot be reached or read, or has no video stream.
        MissingDependency: If PyAV is not installed.
    """
    av = import_pyav()
    if source.path is not None and not source.path.is_file():
        raise InvalidInput(
            f"{source.name} does not exist; expected a video, a folder of frames, a list of frames, a camera or a URL"
        )
    try:
        container = av.open(
            source.location, format=source.format, options=dict(source.options), **_timeout(source)
        )
    except (av.FFmpegError, ValueError) as error:
        raise InvalidInput(_message(source, error)) from _without_address(source, error)
    if not container.streams.video:
        container.close()
        raise InvalidInput(f"{source.name} has no video stream; use a video, or a folder of frames")
    return container


def lost_message(source: VideoSource, error: Exception) -> str:
    """Return the message for a source that cannot be read to its end."""
    if source.kind == "file":
        return f"cannot read the rest of the file ({failure(error)})"
    check = "camera" if source.kind == "camera" else "network and the sender"
    return f"the connection was lost ({failure(error)}); check the {check}"


def failure(error: Exception) -> str:
    """Return the reason of an FFmpeg error; PyAV raises ExitError after a timeout."""
    if isinstance(error, import_pyav().ExitError):
        return f"no data for {TIMEOUT_S:g} s"
    return reason(error)


def _timeout(source: VideoSource) -> dict[str, Any]:
    """Return the timeouts to connect and to wait for data; a listener has a timeout of its own."""
    if source.kind == "file":
        return {}
    is_listener = "listen_timeout" in source.options or "listen" in source.options
    return {"timeout": (None if is_listener else OPEN_TIMEOUT_S, TIMEOUT_S)}


def _message(source: VideoSource, error: Exception) -> str:
    if source.kind == "camera":
        return _camera_message(source, error)
    if source.kind == "file":
        hint = "; an interrupted recording or copy lacks its index" if is_mp4(Path(source.location)) else ""
        return (
            f"cannot read {source.name} as a video ({reason(error)}{hint}); "
            "convert it to .mp4, or use a folder of frames"
        )
    return f"cannot open {source.name} ({failure(error)}); check the address, the credentials, and whether it is online"


def _camera_message(source: VideoSource, error: Exception) -> str:
    others = [name for name in available_cameras() if name != source.location]
    if isinstance(error, FileNotFoundError):
        known = f"use one of {', '.join(others)}" if others else "none is connected: connect one"
        return f"there is no {source.name}; {known}, or use a video or a URL"
    hints = {
        PermissionError: "allow access to it (on Linux, add your user to the group video)",
        OSError: "close other programs that use it, or choose another size with video_size=640x480",
    }
    hint = next((text for kind, text in hints.items() if isinstance(error, kind)), "use a video or a URL")
    return f"cannot open {source.name} ({failure(error)}); {hint}"


def _without_address(source: VideoSource, error: Exception) -> Exception | None:
    """Return the cause of an error; None for URLs, because PyAV's errors contain them, with credentials."""
    return error if source.kind in ("file", "camera") else None
