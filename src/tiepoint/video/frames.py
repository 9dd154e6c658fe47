"""Frames of a video, a folder or a list, read one at a time; unreadable frames keep their index."""

import os
from collections.abc import Iterable, Iterator, Sized
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import numpy as np
import PIL.Image
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.image.listing import SUFFIXES, find_images
from tiepoint.types import describe
from tiepoint.types.options import Stretch
from tiepoint.video.decoding import count_frames, decode_video, frame_rate

FrameSource: TypeAlias = str | os.PathLike | Iterable[ImageSource | Image]
# Path of a video or of a folder of frames, or the frames themselves

STILL_SUFFIXES = SUFFIXES - {".gif", ".apng", ".avifs"}
# Suffixes of single images; animations are read as videos


def read_frames(frames: FrameSource, stretch: Stretch = None) -> Iterator[Image | InvalidInput]:
    """Read a sequence frame by frame.

    Args:
        frames: Path of a video (requires PyAV); path of a folder, whose images are read in natural sort order,
            without subfolders; or images, each as for `tiepoint.read_image`.
        stretch: Percentile stretch of images, as for `tiepoint.read_image`.

    Returns:
        The upright image of each frame in order, or the error for a frame that cannot be read.

    Raises:
        InvalidInput: If the file or folder does not exist, or the file is not a video; immediately or at the first
            frame.
        MissingDependency: If a video is given and PyAV is not installed.
    """
    if isinstance(frames, str | os.PathLike):
        return _read_path(Path(frames), stretch)
    if isinstance(frames, PIL.Image.Image | Image) or (
        isinstance(frames, np.ndarray | Tensor) and frames.ndim < 4
    ):
        raise InvalidInput(
            f"expected a video, a folder or a list of frames, got one image ({describe(frames)}); "
            "pass a list of images"
        )
    return _read_each(frames, stretch)


def sequence_length(frames: FrameSource) -> int | None:
    """Return the number of frames; None if it is not known in advance."""
    if (path := _video(frames)) is not None:
        return count_frames(path)
    if isinstance(frames, str | os.PathLike):
        return len(_image_files(Path(frames)))
    return len(frames) if isinstance(frames, Sized) else None


def sequence_rate(frames: FrameSource) -> Fraction | None:
    """Return the frame rate of a video in frames per second; None if it is not known."""
    path = _video(frames)
    return None if path is None else frame_rate(path)


def _read_path(path: Path, stretch: Stretch) -> Iterator[Image | InvalidInput]:
    return decode_video(path) if _video(path) else _read_each(_image_files(path), stretch)


def _video(frames: FrameSource) -> Path | None:
    """Return the path of a video, or None for other inputs."""
    if not isinstance(frames, str | os.PathLike):
        return None
    path = Path(frames)
    return None if path.is_dir() or path.suffix.lower() in STILL_SUFFIXES else path


def _image_files(path: Path) -> list[Path]:
    return find_images(path, recursive=False) if path.is_dir() else [path]


def _read_each(images: Iterable[ImageSource | Image], stretch: Stretch) -> Iterator[Image | InvalidInput]:
    for image in images:
        try:
            yield read_image(image, stretch=stretch)
        except InvalidInput as error:
            yield error
