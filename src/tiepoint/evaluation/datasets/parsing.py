"""Text to checked numbers: what the readers of text files share."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput

IMAGE_SUFFIXES = (".ppm", ".pgm", ".png", ".jpg", ".jpeg", ".JPG", ".tif", ".bmp", ".webp")
"""In the order in which they are tried where a data set does not name its images' endings."""

FOLDERS_WITHOUT_MEANING = {"images", "color", "Undistorted_SfM", "dense0", "imgs"}


def split_part(path: str | Path) -> tuple[Path, str]:
    """ "folder#part" -> folder and part; the part is "" where none is given, or a file has "#" in its name."""
    text = str(path)
    if "#" not in text or Path(text).exists():
        return Path(text), ""
    location, _, part = text.rpartition("#")
    return Path(location), part


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line; blank lines and comments (#) are left out.

    Raises:
        InvalidInput: not a text file. OSError where the file can't be read.
    """
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def read_text(path: Path) -> str:
    """A file of UTF-8 text. Raises InvalidInput where it is something else, OSError where it can't be read."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not a text file; is it damaged?") from error


def numbers(words: Any, count: int, what: str) -> Float[np.ndarray, "count"]:
    """Exactly `count` finite numbers, from a text or a list.

    Raises:
        InvalidInput: more or fewer, or one that isn't a finite number; `what` names them in the message.
    """
    try:
        words = words.split() if isinstance(words, str) else list(words)
        values = np.array([float(word) for word in words], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{what} must be {count} numbers, but {_shown(words)} came") from error
    if len(values) != count or not np.isfinite(values).all():
        raise InvalidInput(f"{what} must be {count} finite numbers, but {len(values)} came: {_shown(words)}")
    return values


def read_matrix(path: Path, rows: int, columns: int) -> Float[np.ndarray, "rows columns"]:
    """A text file that holds one matrix. Raises InvalidInput for another number of numbers, OSError if missing."""
    return numbers(read_text(path), rows * columns, path.name).reshape(rows, columns)


def find_image(folder: Path, stem: str) -> Path:
    """The image of this name with whatever ending; where there is none, the first that was looked for."""
    candidates = [folder / f"{stem}{suffix}" for suffix in IMAGE_SUFFIXES]
    return next((path for path in candidates if path.is_file()), candidates[0])


def find_file(folders: Sequence[Path], name: str) -> Path:
    """The file of this name in the first folder that has it; where none has it, in the first folder."""
    return next((folder / name for folder in folders if (folder / name).is_file()), folders[0] / name)


def scene_of(name: str, default: str) -> str:
    """The scene that a relative path of an image speaks of, such as "0022" or "scene0707_00"."""
    if match := re.search(r"scene\d{4}_\d{2}", name):
        return match[0]
    parts = [part for part in Path(name).parent.parts if part not in FOLDERS_WITHOUT_MEANING]
    return "/".join(parts) or default


def pair_name(scene: str, image0: Path, image1: Path) -> str:
    """ "scene/a-b", without endings, and without the scene where a file's name repeats it."""
    stems = [path.stem.removeprefix(f"{scene}_") for path in (image0, image1)]
    return f"{scene}/{stems[0]}-{stems[1]}"


def _shown(words: Any) -> str:
    text = " ".join(str(word) for word in words) if isinstance(words, list) else str(words)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
