"""Image files of a folder."""

import os
import re
from pathlib import Path

from tiepoint.errors import InvalidInput

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .tif .tiff .webp .bmp .dib .pbm .pgm .ppm .pnm .gif "  # noqa: SIM905
    ".jp2 .j2k .j2c .jpc .jpf .jpx .avif .avifs .heic .heics .heif .heifs .hif".split()
)
"""Suffixes of image files, in lower case; whether a file is an image is checked when it is read.

They are Pillow's of the formats in `opening.FORMATS`, without .pfm, which is for disparity and depth maps.
"""


def find_images(folder: str | os.PathLike[str], *, recursive: bool = True) -> list[Path]:
    """List the files of a folder that have an image suffix, without hidden files and folders.

    Symbolic links to folders are followed; a folder that can be reached on several ways is listed once.

    Args:
        folder: Folder.
        recursive: Include subfolders.

    Returns:
        Paths that start with `folder`, in natural sort order: "2.jpg" before "10.jpg".

    Raises:
        InvalidInput: If the folder does not exist or cannot be read.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InvalidInput(f"not a folder: {root}; expected a folder of images")
    found = [path for path in _files(root, recursive) if path.suffix.lower() in SUFFIXES]
    return sorted(found, key=lambda path: natural_order(path.relative_to(root).as_posix()))


def natural_order(name: str) -> tuple[list[tuple[str, int]], str]:
    """Return the key of the natural sort order: numbers by value, case-insensitive; ties by the name itself."""
    parts = re.split(r"(\d+)", name)
    pairs = zip(parts[::2], [*parts[1::2], "-1"], strict=True)
    return [(text.casefold(), int(digits)) for text, digits in pairs], name


def _files(root: Path, recursive: bool) -> list[Path]:
    found, links, visited = [], [root], set()
    while links:  # after all real folders, so that a link to one of them does not hide it
        for folder, folders, names in os.walk(links.pop(0), onerror=_raise_unreadable):
            if _is_visited(folder, visited):
                folders.clear()
                continue
            folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
            links += [path for name in folders if (path := Path(folder) / name).is_symlink()]
            found += [Path(folder) / name for name in names if not name.startswith(".")]
    return found


def _is_visited(folder: str, visited: set[str]) -> bool:
    real = os.path.realpath(folder)
    is_visited = real in visited
    visited.add(real)
    return is_visited


def _raise_unreadable(error: OSError) -> None:
    raise InvalidInput(f"cannot list {error.filename}: {error.strerror or error}; check its permissions")
