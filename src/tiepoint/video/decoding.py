"""Videos become images, one frame at a time, by PyAV."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.video.libav import pyav, reason


def decode_video(path: Path) -> Iterator[Image | InvalidInput]:
    """Decode the first video stream of a file.

    Args:
        path: in any format that FFmpeg reads.

    Returns:
        For each frame, in the order of showing, its image, turned as the file says; for data that can't be decoded,
        the reason in its place.

    Raises:
        InvalidInput: there is no such file, it can't be read as a video, or it holds only sound.
        MissingDependency: PyAV isn't installed.
    """
    container = _opened(path)
    if not container.streams.video:
        container.close()
        raise InvalidInput(f"{path} holds no video; name a file that does, or a folder of frames")
    return _decoded(container, path)


def frame_rate(path: Path) -> Fraction | None:
    """Frames a second of a video; None where the file doesn't say.

    Raises:
        InvalidInput: as for `decode_video`.
        MissingDependency: PyAV isn't installed.
    """
    with _opened(path) as container:
        rate = container.streams.video[0].average_rate if container.streams.video else None
        return Fraction(rate) if rate else None


def count_frames(path: Path) -> int | None:
    """How many frames a video holds, as it says itself; None where it doesn't.

    Raises:
        InvalidInput: as for `decode_video`.
        MissingDependency: PyAV isn't installed.
    """
    with _opened(path) as container:
        return container.streams.video[0].frames or None if container.streams.video else None


def _opened(path: Path) -> Any:
    av = pyav()
    if not path.is_file():
        raise InvalidInput(f"there is no video {path}; name a video, a folder of frames, or frames")
    try:
        return av.open(str(path))
    except (av.FFmpegError, ValueError) as error:
        raise InvalidInput(
            f"{path} can't be read as a video ({reason(error)}); convert it to .mp4, or name a folder of frames"
        ) from error


def _decoded(container: Any, path: Path) -> Iterator[Image | InvalidInput]:
    count = 0
    with container:
        stream = container.streams.video[0]
        for packet in _packets(container):
            for item in [packet] if isinstance(packet, InvalidInput) else _frames(stream, packet):
                count += 1
                yield item if isinstance(item, Image) else _named(item, count - 1, path)


def _packets(container: Any) -> Iterator[Any]:
    """Packets of the video; where the file itself breaks off, the one that ends a stream, the reason, and no more."""
    packets = container.demux(container.streams.video[0])
    while True:
        try:
            yield next(packets)
        except StopIteration:
            return
        except pyav().FFmpegError as error:
            yield None
            yield InvalidInput(f"the file can't be read any further ({reason(error)})")
            return


def _frames(stream: Any, packet: Any) -> list[Image | InvalidInput]:
    """Frames that are complete with this packet: none, one or several; with None, those that the decoder still holds."""
    try:
        return [_pixels(frame) for frame in stream.decode(packet)]
    except pyav().FFmpegError as error:
        return [InvalidInput(f"it can't be decoded ({reason(error)})")]


def _pixels(frame: Any) -> Image | InvalidInput:
    """One frame, or why it has none; a frame that can't be converted costs no other."""
    if frame.is_corrupt:
        return InvalidInput("its data are damaged")
    try:
        return upright_image(frame)
    except pyav().FFmpegError as error:
        return InvalidInput(f"it can't be made RGB ({reason(error)})")


def upright_image(frame: Any) -> Image:
    """The pixels of a frame; a telephone that was held upright says by which angle, counter-clockwise, to turn them."""
    pixels = frame.to_ndarray(format="rgb24")
    upright = np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))
    return Image(pixels=torch.from_numpy(upright).permute(2, 0, 1))


def _named(problem: InvalidInput, index: int, path: Path) -> InvalidInput:
    return InvalidInput(f"frame {index} of {path}: {problem}")
