"""Encode images to a video with PyAV, atomically."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from tiepoint.errors import InvalidInput
from tiepoint.io.atomic import atomic_write, check_writable
from tiepoint.video.pyav import import_pyav, reason

VIDEO_FORMATS = (".mp4", ".mov", ".mkv", ".avi")
CODECS = ("libx264", "mpeg4")
# The first codec that is available in the installed FFmpeg is used
QUALITY = {"libx264": {"crf": "20"}, "mpeg4": {"qscale": "4"}}
DEFAULT_RATE = Fraction(10)
# Frames per second if the input has no frame rate


def check_video(path: str | os.PathLike[str]) -> Path:
    """Validate the path of an output video before starting.

    Raises:
        InvalidInput: If the suffix is not one of `VIDEO_FORMATS`, or the file cannot be written.
        MissingDependency: If PyAV is not installed.
    """
    target = Path(path)
    if target.suffix.lower() not in VIDEO_FORMATS:
        raise InvalidInput(
            f"cannot write {target.name!r}: unsupported suffix; expected one of {', '.join(VIDEO_FORMATS)}"
        )
    check_writable(target)
    import_pyav()
    return target


@contextmanager
def video_writer(path: str | os.PathLike[str], rate: Fraction = DEFAULT_RATE) -> Iterator["Encoder"]:
    """Yield an encoder, called with each frame; the video is renamed to `path` if the block succeeds.

    Args:
        path: Path of the video; its suffix determines the format.
        rate: Frame rate in frames per second.

    Raises:
        InvalidInput: If the path is invalid, or FFmpeg reports an error.
        MissingDependency: If PyAV is not installed.
    """
    target = check_video(path)
    with atomic_write(target) as temporary:
        try:
            with import_pyav().open(str(temporary), "w") as container:
                encoder = Encoder(container, rate)
                yield encoder
                encoder.flush()
        except import_pyav().FFmpegError as error:
            raise InvalidInput(
                f"cannot write {target}: {reason(error)}; no partial file was written"
            ) from error


class Encoder:
    """Encoder of frames that all have the size of the first one."""

    def __init__(self, container: Any, rate: Fraction) -> None:
        self.container = container
        self.rate = rate
        self.stream: Any = None
        self._index = 0  # of the next frame
        self._last: Any = None

    def __call__(self, frame: PIL.Image.Image) -> None:
        """Append a frame."""
        if self.stream is None:
            self.stream = self._new_stream(frame)
        cropped = frame.convert("RGB").crop((0, 0, self.stream.width, self.stream.height))
        encoded = import_pyav().VideoFrame.from_ndarray(np.asarray(cropped), format="rgb24")
        self._append(encoded)

    def hold(self, count: int) -> None:
        """Show the previous frame for this many more frames; before the first frame, nothing."""
        if self.stream is None:
            return
        if self.container.format.name == "avi":  # it has no timestamps
            for _ in range(count):
                self._append(self._last)
        else:
            self._index += count

    def flush(self) -> None:
        """Write the frames that the codec holds."""
        if self.stream is not None:
            self.container.mux(self.stream.encode())

    def _append(self, frame: Any) -> None:
        frame.pts, frame.time_base = self._index, 1 / self.rate
        self._index, self._last = self._index + 1, frame
        self.container.mux(self.stream.encode(frame))

    def _new_stream(self, frame: PIL.Image.Image) -> Any:
        codec = next(name for name in CODECS if name in import_pyav().codecs_available)
        stream = self.container.add_stream(codec, rate=self.rate, options=QUALITY[codec])
        # yuv420p halves the resolution of the colors, so the sides must be even
        stream.width, stream.height = (max(2, side // 2 * 2) for side in frame.size)
        stream.pix_fmt = "yuv420p"
        return stream
