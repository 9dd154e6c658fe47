"""Image pair for the benchmark: the user's images, or the stereo pair of the demo."""

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
def image_files(image0: ImageFile | None, image1: ImageFile | None) -> Iterator[tuple[ImageFile, ImageFile]]:
    """Yield two image files: the given ones, or the demo pair as temporary JPEG files.

    Raises:
        InvalidInput: If only one image is given.
        MissingDependency: If no image is given and scikit-image is not installed.
    """
    if image0 is not None and image1 is not None:
        yield image0, image1
        return
    if image0 is not None or image1 is not None:
        raise InvalidInput("expected two images, or none for the demo pair, got one")
    left, right, _ = motorcycle()
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "motorcycle0.jpg", Path(folder) / "motorcycle1.jpg"
        for file, pixels in zip(files, (left, right), strict=True):
            PIL.Image.fromarray(pixels).save(file, quality=JPEG_QUALITY)
        yield files


def hard_variant(image: Image) -> Image:
    """Rotate an image by 90 degrees: few matches, so that all layers run and many keypoints are pruned."""
    return read_image(torch.rot90(image.pixels, dims=(1, 2)))
