"""The photographs of a folder."""

import os
import re
from pathlib import Path

from tiepoint.errors import InvalidInput

SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".png",
        ".tif",
        ".tiff",
        ".webp",
        ".bmp",
        ".ppm",
        ".pgm",
        ".gif",
        ".jp2",
        ".avif",
        ".heic",
        ".heif",
    ]
)
"""Endings, in small letters, by which a file is taken for a photograph; whether it is one shows when it is read."""


def find_images(folder: str | os.PathLike[str], *, recursive: bool = True) -> list[Path]:
    """Files of a folder that look like photographs by their ending, hidden ones left out.

    Args:
        folder: with photographs, and anything else.
        recursive: whether to look into its sub-folders.

    Returns:
        Paths that begin with `folder`, in the order in which people count: "2.jpg" before "10.jpg".

    Raises:
        InvalidInput: there is no such folder, or it can't be read.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InvalidInput(f"expected a folder of photographs, but {root} isn't a folder; name one")
    found = [path for path in _files(root, recursive) if path.suffix.lower() in SUFFIXES]
    return sorted(found, key=lambda path: natural_order(path.relative_to(root).as_posix()))


def natural_order(name: str) -> tuple[list[tuple[str, int]], str]:
    """A key that sorts names as people count: digits by their value; ties by the name itself."""
    parts = re.split(r"(\d+)", name)
    pairs = zip(parts[::2], [*parts[1::2], "-1"], strict=True)
    return [(text.casefold(), int(digits)) for text, digits in pairs], name


def _files(root: Path, recursive: bool) -> list[Path]:
    found = []
    for folder, folders, names in os.walk(root, onerror=_refuse):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        found += [Path(folder) / name for name in names if not name.startswith(".")]
    return found


def _refuse(error: OSError) -> None:
    raise InvalidInput(f"can't look into {error.filename}: {error.strerror or error}; check its permissions")
