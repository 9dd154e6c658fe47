"""Decode videos to images with PyAV, one frame at a time."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.video.pyav import import_pyav, reason
from tiepoint.video.truncation import EndOfStreams, is_mp4, missing_end


def decode_video(path: Path) -> Iterator[Image | InvalidInput]:
    """Decode the first video stream of a file.

    Args:
        path: Path of the video, in any format that FFmpeg reads.

    Returns:
        The upright image of each frame in presentation order, or an error for data that cannot be decoded; one more
        error at the end if the file ends before the video does.

    Raises:
        InvalidInput: If the file does not exist, cannot be read as a video, or has no video stream.
        MissingDependency: If PyAV is not installed.
    """
    container = _open(path)
    if not container.streams.video:
        container.close()
        raise InvalidInput(f"{path} has no video stream; use a video, or a folder of frames")
    return _decoded(container, path)


def frame_rate(path: Path) -> Fraction | None:
    """Return the frame rate of a video in frames per second; None if the file does not specify it.

    Raises:
        InvalidInput: If the file cannot be read as a video.
        MissingDependency: If PyAV is not installed.
    """
    with _open(path) as container:
        rate = container.streams.video[0].average_rate if container.streams.video else None
        return Fraction(rate) if rate else None


def count_frames(path: Path) -> int | None:
    """Return the number of frames according to the header of a video; None if it does not specify it.

    Raises:
        InvalidInput: If the file cannot be read as a video.
        MissingDependency: If PyAV is not installed.
    """
    with _open(path) as container:
        return container.streams.video[0].frames or None if container.streams.video else None


def _open(path: Path) -> Any:
    av = import_pyav()
    if not path.is_file():
        raise InvalidInput(
            f"{path} does not exist; expected a video, a folder of frames, or a list of frames"
        )
    try:
        return av.open(str(path))
    except (av.FFmpegError, ValueError) as error:
        hint = "; an interrupted recording or copy lacks its index" if is_mp4(path) else ""
        raise InvalidInput(
            f"cannot read {path} as a video ({reason(error)}{hint}); convert it to .mp4, or use a folder of frames"
        ) from error


def _decoded(container: Any, path: Path) -> Iterator[Image | InvalidInput]:
    count = 0
    with container:
        stream = container.streams.video[0]
        for packet in _packets(container, path):
            for item in [packet] if isinstance(packet, InvalidInput) else _frames(stream, packet):
                count += 1
                yield item if isinstance(item, Image) else _named(item, count - 1, path)


def _packets(container: Any, path: Path) -> Iterator[Any]:
    """Yield the packets of the video; at a damaged position, flush the decoder, yield the error, and stop."""
    video, end = container.streams.video[0], EndOfStreams()
    packets = container.demux()
    while True:
        try:
            packet = next(packets)
            end.add(packet)
            if packet.stream is video:
                yield packet
        except StopIteration:
            if missing := missing_end(container, path, end):
                yield InvalidInput(f"the file ends early: {missing}; copy or record it again")
            return
        except import_pyav().FFmpegError as error:
            yield None
            yield InvalidInput(f"cannot read the rest of the file ({reason(error)})")
            return


def _frames(stream: Any, packet: Any) -> list[Image | InvalidInput]:
    """Return the frames completed by a packet; None flushes the decoder."""
    try:
        return [_pixels(frame) for frame in stream.decode(packet)]
    except import_pyav().FFmpegError as error:
        return [InvalidInput(f"cannot decode it ({reason(error)})")]


def _pixels(frame: Any) -> Image | InvalidInput:
    """Return the image of one frame, or an error; the other frames are not affected."""
    if frame.is_corrupt:
        return InvalidInput("damaged data")
    try:
        return upright_image(frame)
    except import_pyav().FFmpegError as error:
        return InvalidInput(f"cannot convert it to RGB ({reason(error)})")


def upright_image(frame: Any) -> Image:
    """Return the image of a frame, rotated by the counter-clockwise angle in its metadata."""
    pixels = frame.to_ndarray(format="rgb24")
    upright = np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))
    return Image(pixels=torch.from_numpy(upright).permute(2, 0, 1))


def _named(problem: InvalidInput, index: int, path: Path) -> InvalidInput:
    return InvalidInput(f"frame {index} of {path}: {problem}")
