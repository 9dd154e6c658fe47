"""Pictures become files, whole or not at all."""

import os
from pathlib import Path
from typing import Any

import PIL.Image

from tiepoint.errors import InvalidInput
from tiepoint.io.atomic import atomic_write, check_writable

PICTURE_FORMATS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
LONGEST_SIDES = {".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383}  # px; what the lossy formats can hold
QUALITY = 90  # of the lossy formats, out of 100


def check_image_path(path: str | os.PathLike[str]) -> Path:
    """Find out before the work whether a picture can be written under this name.

    Raises:
        InvalidInput: an ending that isn't a picture format's, or the file can't be written.
    """
    target = Path(path)
    if target.suffix.lower() not in PICTURE_FORMATS:
        raise InvalidInput(
            f"can't write a picture as {target.name!r}; use a name that ends in {', '.join(PICTURE_FORMATS)}"
        )
    check_writable(target)
    return target


def save_image(picture: PIL.Image.Image, path: str | os.PathLike[str]) -> Path:
    """Write a picture, whole or not at all.

    Returns:
        The path.

    Raises:
        InvalidInput: as for `check_image_path`; or the picture has a longer side than the format can hold.
    """
    target = check_image_path(path)
    limit = LONGEST_SIDES.get(target.suffix.lower())
    if limit is not None and max(picture.size) > limit:
        raise InvalidInput(
            f"can't write {target}: the picture is {picture.width:,} x {picture.height:,} px, and {target.suffix} "
            f"holds at most {limit:,} a side; use a name that ends in .png"
        )
    settings: dict[str, Any] = {} if limit is None else {"quality": QUALITY}
    with atomic_write(target) as temporary:
        picture.save(temporary, **settings)
    return target
