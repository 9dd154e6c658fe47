"""Frames of a video, of a folder, or given one by one. One is in memory at a time; what is broken keeps its place."""

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
from tiepoint.video.decoding import count_frames, decode_video, frame_rate

FrameSource: TypeAlias = str | os.PathLike | Iterable[ImageSource | Image]
"""A video, a folder of frames, or the frames themselves."""

PICTURES = SUFFIXES - {".gif"}
"""Endings of single pictures; a GIF is a video here."""


def read_frames(frames: FrameSource) -> Iterator[Image | InvalidInput]:
    """Read a sequence frame by frame.

    Args:
        frames: path of a video (needs PyAV); path of a folder, of which the photographs are taken in the order in
            which people count, without sub-folders; or images, each as for `tiepoint.read_image`.

    Returns:
        For each frame, in order, its upright image; or what is wrong with it.

    Raises:
        InvalidInput: there is no such file or folder, or the file isn't a video; at once, or with the first frame.
        MissingDependency: a video, and PyAV isn't installed.
    """
    if isinstance(frames, str | os.PathLike):
        return _read_path(Path(frames))
    if isinstance(frames, PIL.Image.Image | Image) or (
        isinstance(frames, np.ndarray | Tensor) and frames.ndim < 4
    ):
        raise InvalidInput(
            f"expected a video, a folder or a list of frames, but one image came ({describe(frames)}); "
            "put its frames into a list"
        )
    return _read_each(frames)


def sequence_length(frames: FrameSource) -> int | None:
    """How many frames there are; None where that isn't known beforehand."""
    if (path := _video(frames)) is not None:
        return count_frames(path)
    if isinstance(frames, str | os.PathLike):
        return len(_pictures(Path(frames)))
    return len(frames) if isinstance(frames, Sized) else None


def sequence_rate(frames: FrameSource) -> Fraction | None:
    """Frames a second of a video; None where nothing says so."""
    path = _video(frames)
    return None if path is None else frame_rate(path)


def _read_path(path: Path) -> Iterator[Image | InvalidInput]:
    return decode_video(path) if _video(path) else _read_each(_pictures(path))


def _video(frames: FrameSource) -> Path | None:
    """The path, where it is one and isn't a folder or a picture."""
    if not isinstance(frames, str | os.PathLike):
        return None
    path = Path(frames)
    return None if path.is_dir() or path.suffix.lower() in PICTURES else path


def _pictures(path: Path) -> list[Path]:
    return find_images(path, recursive=False) if path.is_dir() else [path]


def _read_each(images: Iterable[ImageSource | Image]) -> Iterator[Image | InvalidInput]:
    for image in images:
        try:
            yield read_image(image)
        except InvalidInput as error:
            yield error
