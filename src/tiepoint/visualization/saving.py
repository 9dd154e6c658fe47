"""Writing images to files, atomically."""

import os
from pathlib import Path
from typing import Any

import PIL.Image

from tiepoint.errors import InvalidInput
from tiepoint.io.atomic import atomic_write, check_writable

IMAGE_FORMATS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
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
    limit = MAX_SIDES.get(target.suffix.lower())
    if limit is not None and max(image.size) > limit:
        raise InvalidInput(
            f"cannot write {target}: the image has {image.width:,} x {image.height:,} px, but {target.suffix} "
            f"supports at most {limit:,} px per side; use .png"
        )
    settings: dict[str, Any] = {} if limit is None else {"quality": QUALITY}
    with atomic_write(target) as temporary:
        image.save(temporary, **settings)
    return target
