"""The photographs that are measured: the user's own, or the demonstration's stereo pair."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import PIL.Image
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, read_image
from tiepoint.image.sample_pair import motorcycle

ImageFile = str | os.PathLike[str]

JPEG_QUALITY = 95


@contextmanager
def photograph_files(
    image0: ImageFile | None, image1: ImageFile | None
) -> Iterator[tuple[ImageFile, ImageFile]]:
    """Two files: those that are given, or else the demonstration's pair as JPEG files that vanish afterwards.

    Raises:
        InvalidInput: one image of two.
        MissingDependency: none is given, and scikit-image isn't installed.
    """
    if image0 is not None and image1 is not None:
        yield image0, image1
        return
    if image0 is not None or image1 is not None:
        raise InvalidInput("expected two photographs, or none for the demonstration's pair, but got one")
    left, right, _ = motorcycle()
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "motorcycle0.jpg", Path(folder) / "motorcycle1.jpg"
        for file, pixels in zip(files, (left, right), strict=True):
            PIL.Image.fromarray(pixels).save(file, quality=JPEG_QUALITY)
        yield files


def made_hard(image: Image) -> Image:
    """The same photograph turned by a quarter: few matches, so that all layers run and many keypoints are dropped."""
    return read_image(torch.rot90(image.pixels, dims=(1, 2)))
