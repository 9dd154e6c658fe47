"""Parsing of text files to validated numbers, shared by the readers."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput

IMAGE_SUFFIXES = (".ppm", ".pgm", ".png", ".jpg", ".jpeg", ".JPG", ".tif", ".bmp", ".webp")
# Suffixes that are tried in this order if a data set does not specify them

GENERIC_FOLDERS = {"images", "color", "Undistorted_SfM", "dense0", "imgs"}


def split_subset(path: str | Path) -> tuple[Path, str]:
    """Split "folder#subset" into folder and subset; the subset is "" if not given, or if the whole path exists."""
    text = str(path)
    if "#" not in text or Path(text).exists():
        return Path(text), ""
    location, _, subset = text.rpartition("#")
    return Path(location), subset


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number (from 1) and text of each line, without blank lines and comments (#).

    Raises:
        InvalidInput: If the file is not a text file.
        OSError: If the file cannot be read.
    """
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def read_text(path: Path) -> str:
    """Read a UTF-8 file; raises InvalidInput if it is not text, OSError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not a UTF-8 text file; it may be damaged") from error


def parse_numbers(words: Any, count: int, what: str) -> Float[np.ndarray, "count"]:
    """Parse exactly `count` finite numbers from a text or a list.

    Args:
        words: Text or list of numbers.
        count: Expected number of values.
        what: Description of the values for the message.

    Raises:
        InvalidInput: If the count differs, or a value is not a finite number.
    """
    try:
        words = words.split() if isinstance(words, str) else list(words)
        values = np.array([float(word) for word in words], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{what} must be {count} numbers, got {_shortened(words)}") from error
    if len(values) != count or not np.isfinite(values).all():
        raise InvalidInput(f"{what} must be {count} finite numbers, got {len(values)}: {_shortened(words)}")
    return values


def read_matrix(path: Path, rows: int, columns: int) -> Float[np.ndarray, "rows columns"]:
    """Read a matrix from a text file; raises InvalidInput for a wrong number of values, OSError if it is missing."""
    return parse_numbers(read_text(path), rows * columns, path.name).reshape(rows, columns)


def find_image(folder: Path, stem: str) -> Path:
    """Return the existing image file with this stem, or the first candidate if there is none."""
    candidates = [folder / f"{stem}{suffix}" for suffix in IMAGE_SUFFIXES]
    return next((path for path in candidates if path.is_file()), candidates[0])


def find_file(folders: Sequence[Path], name: str) -> Path:
    """Return the path in the first folder that contains the file, or in the first folder if none does."""
    return next((folder / name for folder in folders if (folder / name).is_file()), folders[0] / name)


def scene_name(name: str, default: str) -> str:
    """Return the scene name in a relative image path, for example "0022" or "scene0707_00"."""
    if match := re.search(r"scene\d{4}_\d{2}", name):
        return match[0]
    parts = [part for part in Path(name).parent.parts if part not in GENERIC_FOLDERS]
    return "/".join(parts) or default


def pair_name(scene: str, image0: Path, image1: Path) -> str:
    """Return the name "scene/a-b" of a pair, without suffixes, and without the scene repeated in the file names."""
    stems = [path.stem.removeprefix(f"{scene}_") for path in (image0, image1)]
    return f"{scene}/{stems[0]}-{stems[1]}"


def _shortened(words: Any) -> str:
    text = " ".join(str(word) for word in words) if isinstance(words, list) else str(words)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
