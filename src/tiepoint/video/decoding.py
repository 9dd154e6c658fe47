"""Decode videos to images with PyAV, one frame at a time."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.video.opening import lost_message, open_container
from tiepoint.video.pyav import import_pyav, reason
from tiepoint.video.sources import VideoSource, video_source
from tiepoint.video.truncation import EndOfStreams, missing_end

MAX_RATE = 1000
# Frames per second; above, it is the rate of the clock of a stream
RETRY_S = 0.005
# Wait of a camera that has no frame yet, on macOS


def open_video(location: int | str | os.PathLike[str] | VideoSource) -> "Video":
    """Open a video, camera or stream.

    Args:
        location: Path, index of a camera, URL, or their source with options of FFmpeg.

    Raises:
        InvalidInput: If it does not exist, cannot be reached or read, or has no video stream.
        MissingDependency: If PyAV is not installed.
    """
    source = location if isinstance(location, VideoSource) else video_source(location)
    return Video(container=open_container(source), source=source)


@dataclass(slots=True)
class Video:
    """An open video; its first video stream is decoded.

    Attributes:
        container: Open container of PyAV.
        source: Address of the video.
    """

    container: Any = field(repr=False)  # its repr contains the URL, with credentials
    source: VideoSource

    @property
    def stream(self) -> Any:
        """The stream that is decoded."""
        return self.container.streams.video[0]

    @property
    def rate(self) -> Fraction | None:
        """Frame rate in frames per second; None if the video does not specify it."""
        rate = self.stream.average_rate or self.stream.guessed_rate
        return Fraction(rate) if rate and rate <= MAX_RATE else None

    @property
    def num_frames(self) -> int | None:
        """Number of frames according to the header; None if it does not specify it."""
        return self.stream.frames or None

    @property
    def is_live(self) -> bool:
        """Whether the source is a camera or a stream, or a URL without a declared duration."""
        if self.source.kind == "url":
            return not self.container.duration
        return self.source.kind != "file"

    def images(self) -> Iterator[Image | InvalidInput]:
        """Decode every frame.

        Returns:
            The upright image of each frame in presentation order, or an error for data that cannot be decoded; one more
            error at the end if the file ends before the video does, or the connection is lost.
        """
        count = 0
        with self.container:
            for packet in self.packets():
                for item in [packet] if isinstance(packet, InvalidInput) else self._images_of(packet):
                    count += 1
                    yield item if isinstance(item, Image) else self._named(item, count - 1)

    def packets(self) -> Iterator[Any]:
        """Yield the packets of the stream; at a damaged position, flush the decoder (None), yield the error, and stop."""
        av, packets, end = import_pyav(), self.container.demux(), EndOfStreams()
        while True:
            try:
                packet = next(packets)
                end.add(packet)
                if packet.stream is self.stream:
                    yield packet
            except StopIteration:
                if missing := missing_end(self.container, self.source.path, end):
                    yield InvalidInput(f"the file ends early: {missing}; copy or record it again")
                return
            except av.BlockingIOError:
                time.sleep(RETRY_S)
                packets = self.container.demux()
            except av.FFmpegError as error:
                yield None
                yield InvalidInput(lost_message(self.source, error))
                return

    def frames(self, packet: Any) -> list[Any]:
        """Return the frames of PyAV that a packet completes; None flushes the decoder.

        Raises:
            InvalidInput: If the packet cannot be decoded.
        """
        try:
            return list(self.stream.decode(packet))
        except import_pyav().FFmpegError as error:
            raise InvalidInput(f"cannot decode it ({reason(error)})") from error

    def _images_of(self, packet: Any) -> list[Image | InvalidInput]:
        try:
            return [image_of(frame) for frame in self.frames(packet)]
        except InvalidInput as error:
            return [error]

    def _named(self, problem: InvalidInput, index: int) -> InvalidInput:
        return InvalidInput(f"frame {index} of {self.source.name}: {problem}")


def image_of(frame: Any) -> Image | InvalidInput:
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
