"""Frames of a video, a camera, a folder or a list, read one at a time; unreadable frames keep their index."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

import numpy as np
import PIL.Image
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.image.listing import SUFFIXES, find_images
from tiepoint.io.messages import redact_url
from tiepoint.io.validation import check_integer, check_number
from tiepoint.types import describe
from tiepoint.types.options import Stretch
from tiepoint.video.decoding import Video, open_video
from tiepoint.video.live import Clock, LiveFrames
from tiepoint.video.sources import VideoSource, is_url, video_source

FrameSource: TypeAlias = int | str | os.PathLike | Iterable[ImageSource | Image]
"""Index of a camera, path or URL of a video, path of a folder of frames, or the frames themselves."""

STILL_SUFFIXES = SUFFIXES - {".gif", ".apng", ".avifs"}
# Suffixes of single images; animations are read as videos

MAX_SECONDS = 1e9


def never() -> bool:
    """Never stop."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How a sequence is read, see `read_frames`."""

    live: bool | None = None
    max_frames: int | None = None
    max_seconds: float | None = None
    input_options: Mapping[str, str] = field(default_factory=dict)
    should_stop: Callable[[], bool] = never
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        if self.max_frames is not None:
            check_integer("max_frames", self.max_frames, 1, alternative="None")
        if self.max_seconds is not None:
            check_number("max_seconds", self.max_seconds, 0.0, MAX_SECONDS, alternative="None")


@dataclass(slots=True, eq=False)
class Frames(Iterator[Image | InvalidInput]):
    """Frames of a sequence, in order; a context manager that closes the video.

    Attributes:
        name: Path of the video or folder, or name of the camera or URL without credentials, if there is one.
        length: Number of frames; None if it is not known in advance.
        rate: Frame rate of a video in frames per second; None if it is not known.
        seconds: Time in s from the first live frame until the last one was processed; None if the sequence is not live.
    """

    images: Iterator[Image | InvalidInput]
    options: ReadOptions
    name: str | None = None
    length: int | None = None
    rate: Fraction | None = None
    video: Video | None = None
    live: LiveFrames | None = None
    seconds: float | None = None
    _num_images: int = 0
    _start: float | None = None

    @property
    def is_live(self) -> bool:
        """Whether frames that arrive while the caller is busy are dropped."""
        return self.live is not None

    @property
    def num_dropped(self) -> int:
        """Number of frames that were dropped before the last one; 0 if the sequence is not live."""
        return 0 if self.live is None else self.live.num_dropped

    def __next__(self) -> Image | InvalidInput:
        self._measure()
        item = None if self._is_over() else next(self.images, None)
        if item is None:
            self.close()
            raise StopIteration
        if isinstance(item, Image):
            self._num_images += 1
            self._start = self.options.clock.now() if self._start is None else self._start
        return item

    def __enter__(self) -> "Frames":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the video; no more frames follow."""
        if self.live is not None:
            self.live.close()
        elif self.video is not None:
            self.video.container.close()
        self.images = iter(())

    def _measure(self) -> None:
        if self.is_live and self._start is not None:
            self.seconds = self.options.clock.now() - self._start

    def _is_over(self) -> bool:
        is_full = self.options.max_frames is not None and self._num_images >= self.options.max_frames
        return is_full or self._is_stopped()

    def _is_stopped(self) -> bool:
        """Whether the time is over or the caller ends the sequence; polled while waiting for a live frame."""
        limit = self.options.max_seconds
        if limit is not None and self._start is not None and self.options.clock.now() - self._start >= limit:
            return True
        return self.options.should_stop()


def read_frames(
    frames: FrameSource,
    stretch: Stretch = None,
    *,
    live: bool | None = None,
    max_frames: int | None = None,
    max_seconds: float | None = None,
    input_options: Mapping[str, str] | None = None,
) -> Frames:
    """Read a sequence frame by frame.

    Args:
        frames: Index of a camera; path or URL of a video (these require PyAV); path of a folder, whose images are read in
            natural sort order, without subfolders; or images, each as for `tiepoint.read_image`.
        stretch: Percentile stretch of images, as for `tiepoint.read_image`.
        live: Whether to return the newest frame, and drop those that arrive while the caller is busy. A file is then
            played at its frame rate. None: only for cameras, streams, and URLs whose video declares no duration.
        max_frames: Maximum number of readable frames; None reads all.
        max_seconds: Maximum time in s from the first frame, for live sequences; None has no limit.
        input_options: Options of FFmpeg's demuxer and protocol for videos, for example `{"video_size": "1280x720"}`.

    Returns:
        Iterator over the upright image of each frame in order, or the error for a frame that cannot be read; its
        attribute `num_dropped` is the number of frames that were dropped so far.

    Raises:
        InvalidInput: If the file, folder or camera does not exist, the URL cannot be opened, or the file is not a video;
            immediately or at the first frame. If an option does not apply to the sequence.
        MissingDependency: If a video is given and PyAV is not installed.
    """
    options = ReadOptions(
        live=live, max_frames=max_frames, max_seconds=max_seconds, input_options=input_options or {}
    )
    return open_frames(frames, stretch, options)


def open_frames(frames: FrameSource, stretch: Stretch, options: ReadOptions) -> Frames:
    """Open a sequence, see `read_frames`.

    Raises:
        InvalidInput: For the reasons of `read_frames`.
        MissingDependency: If a video is given and PyAV is not installed.
    """
    source = find_video(frames, is_forced=bool(options.live))
    if source is not None:
        source = replace(source, options={**source.options, **options.input_options})
        return _open_video(open_video(source), options)
    _check_not_video(options)
    if isinstance(frames, str | os.PathLike):
        name, files = os.fspath(frames), _image_files(frames)
        name = redact_url(name) if is_url(name) else name
        return Frames(_read_each(files, stretch), options, name=name, length=len(files))
    if isinstance(frames, PIL.Image.Image | Image | int) or (
        isinstance(frames, np.ndarray | Tensor) and frames.ndim < 4
    ):
        raise InvalidInput(
            f"expected a video, a folder or a list of frames, got one image ({describe(frames)}); "
            "pass a list of images"
        )
    length = len(frames) if isinstance(frames, Sized) else None
    return Frames(_read_each(frames, stretch), options, length=length)


def find_video(frames: FrameSource, *, is_forced: bool = False) -> VideoSource | None:
    """Return the source of a camera, stream or video; None for folders, images and lists.

    Args:
        frames: Frames, as for `read_frames`.
        is_forced: Whether a URL is a video even if it has the suffix of an image.
    """
    if isinstance(frames, int):
        return None if isinstance(frames, bool) else video_source(frames)
    if not isinstance(frames, str | os.PathLike):
        return None
    text = os.fspath(frames)
    if not is_url(text):
        path = Path(text)
        return None if path.is_dir() or path.suffix.lower() in STILL_SUFFIXES else video_source(text)
    is_image = Path(text.partition("?")[0]).suffix.lower() in STILL_SUFFIXES
    return None if is_image and not is_forced else video_source(text)


def _open_video(video: Video, options: ReadOptions) -> Frames:
    is_live = video.is_live if options.live is None else options.live
    if options.max_seconds is not None and not is_live:
        video.container.close()
        raise InvalidInput(
            f"max_seconds={options.max_seconds:g} needs a live source, got {video.source.name}; use max_frames"
        )
    if not is_live:
        return Frames(video.images(), options, video.source.name, video.num_frames, video.rate, video)
    frames = Frames(iter(()), options, video.source.name, rate=video.rate, video=video)
    is_paced = not video.is_live
    frames.live = LiveFrames(video, is_paced, frames._is_stopped, options.clock)
    frames.images = iter(frames.live.next, None)
    return frames


def _check_not_video(options: ReadOptions) -> None:
    given = {
        "live=True": bool(options.live),
        "max_seconds": options.max_seconds is not None,
        "input_options": bool(options.input_options),
    }
    for name, is_given in given.items():
        if is_given:
            raise InvalidInput(f"{name} needs a camera, a stream or a video, got images; remove it")


def _image_files(location: str | os.PathLike[str]) -> list[str | Path]:
    if is_url(text := os.fspath(location)):
        return [text]
    path = Path(text)
    return list(find_images(path, recursive=False)) if path.is_dir() else [path]


def _read_each(images: Iterable[ImageSource | Image], stretch: Stretch) -> Iterator[Image | InvalidInput]:
    for image in images:
        try:
            yield read_image(image, stretch=stretch)
        except InvalidInput as error:
            yield error
