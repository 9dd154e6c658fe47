"""Pictures become a video, whole or not at all, by PyAV."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from tiepoint.errors import InvalidInput
from tiepoint.io.atomic import atomic_write, check_writable
from tiepoint.video.libav import pyav, reason

VIDEO_FORMATS = (".mp4", ".mov", ".mkv", ".avi")
CODECS = ("libx264", "mpeg4")
"""The first one that this build of FFmpeg has."""
QUALITY = {"libx264": {"crf": "20"}, "mpeg4": {"qscale": "4"}}
DEFAULT_RATE = Fraction(10)
"""Frames a second where the frames come without one."""

Write = Callable[[PIL.Image.Image], None]


def check_video(path: str | os.PathLike[str]) -> Path:
    """Find out before the work whether a video can be written under this name.

    Raises:
        InvalidInput: an ending that isn't a video's, or the file can't be written.
        MissingDependency: PyAV isn't installed.
    """
    target = Path(path)
    if target.suffix.lower() not in VIDEO_FORMATS:
        raise InvalidInput(
            f"can't write a video as {target.name!r}; use a name that ends in {', '.join(VIDEO_FORMATS)}"
        )
    check_writable(target)
    pyav()
    return target


@contextmanager
def video_writer(path: str | os.PathLike[str], rate: Fraction = DEFAULT_RATE) -> Iterator[Write]:
    """Hand out a function that appends a picture; the video takes its name when the block ends well.

    Args:
        path: where to; its ending decides the format.
        rate: frames a second.

    Raises:
        InvalidInput: as for `check_video`; or what FFmpeg refuses.
        MissingDependency: PyAV isn't installed.
    """
    target = check_video(path)
    with atomic_write(target) as temporary:
        try:
            with pyav().open(str(temporary), "w") as container:
                encoder = _Encoder(container, rate)
                yield encoder.write
                encoder.finish()
        except pyav().FFmpegError as error:
            raise InvalidInput(f"can't write {target}: {reason(error)}; nothing was left behind") from error


class _Encoder:
    """Of pictures that all have the size of the first."""

    def __init__(self, container: Any, rate: Fraction) -> None:
        self.container = container
        self.rate = rate
        self.stream: Any = None

    def write(self, picture: PIL.Image.Image) -> None:
        if self.stream is None:
            self.stream = self._new_stream(picture)
        even = picture.convert("RGB").crop((0, 0, self.stream.width, self.stream.height))
        frame = pyav().VideoFrame.from_ndarray(np.asarray(even), format="rgb24")
        self.container.mux(self.stream.encode(frame))

    def finish(self) -> None:
        if self.stream is not None:
            self.container.mux(self.stream.encode())

    def _new_stream(self, picture: PIL.Image.Image) -> Any:
        codec = next(name for name in CODECS if name in pyav().codecs_available)
        stream = self.container.add_stream(codec, rate=self.rate, options=QUALITY[codec])
        # colors are kept at half the resolution, so that sides must be even
        stream.width, stream.height = (max(2, side // 2 * 2) for side in picture.size)
        stream.pix_fmt = "yuv420p"
        return stream
