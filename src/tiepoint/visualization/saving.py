"""Writing images to files, atomically."""

import os
from pathlib import Path
from typing import Any

import PIL.Image

from tiepoint.errors import InvalidInput
from tiepoint.io.atomic import atomic_write, check_writable

IMAGE_FORMATS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
"""Suffixes of image files that can be written."""
MAX_SIDES = {".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383}  # px; limits of the lossy formats
QUALITY = 90  # quality of the lossy formats, out of 100


def check_image_path(path: str | os.PathLike[str], *, others: tuple[str, ...] = ()) -> Path:
    """Validate the output path of an image before starting.

    Args:
        path: Output path; the suffix decides the format.
        others: Further suffixes, of formats that the caller writes.

    Returns:
        The path.

    Raises:
        InvalidInput: If the suffix is none of these, or the file cannot be written.
    """
    target = Path(path)
    suffixes = (*IMAGE_FORMATS, *others)
    if target.suffix.lower() not in suffixes:
        raise InvalidInput(
            f"cannot write an image to {target.name!r}; use one of the suffixes {', '.join(suffixes)}"
        )
    check_writable(target)
    return target


def check_image_size(size: tuple[int, int], path: str | os.PathLike[str]) -> None:
    """Check that a format holds images of a size.

    Args:
        size: Size (width, height) in px.
        path: Output path; the suffix decides the format.

    Raises:
        InvalidInput: If a side exceeds the maximum of the format.
    """
    suffix = Path(path).suffix.lower()
    limit = MAX_SIDES.get(suffix)
    if limit is not None and max(size) > limit:
        raise InvalidInput(
            f"cannot write {path}: the image has {size[0]:,} x {size[1]:,} px, but {suffix} supports at most {limit:,} px "
            "per side; use .png"
        )


def save_image(image: PIL.Image.Image, path: str | os.PathLike[str]) -> Path:
    """Write an image, atomically.

    Args:
        image: Image to write.
        path: Output path; the suffix decides the format.

    Returns:
        The path.

    Raises:
        InvalidInput: If the suffix is not that of an image format, the file cannot be written, or the image exceeds the
            maximum side of the format.
    """
    target = check_image_path(path)
    check_image_size(image.size, target)
    limit = MAX_SIDES.get(target.suffix.lower())
    settings: dict[str, Any] = {} if limit is None else {"quality": QUALITY}
    with atomic_write(target) as temporary:
        image.save(temporary, **settings)
    return target
