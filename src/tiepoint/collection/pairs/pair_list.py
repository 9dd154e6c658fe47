"""Pair lists: text files with the names of two images per line."""

import csv
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from tiepoint.errors import InvalidInput
from tiepoint.io.hashing import SHORT_DIGEST_LENGTH, file_digest

MAX_PROBLEMS = 100
"""Maximum number of invalid lines that are reported one by one."""

MAX_NAME = 255
"""Maximum number of characters of an unknown name in a message."""


def read_pair_list(
    path: str | os.PathLike[str], names: Sequence[str]
) -> tuple[Int32[np.ndarray, "p 2"], tuple[str, ...]]:
    """Read the pairs of a list.

    Names are separated by a tab or by spaces; without a tab, names with spaces are in double quotes. Empty lines are
    ignored, and so are lines that start with "#", unless an image has the first name of the line.

    Args:
        path: Path of the list, in UTF-8.
        names: Names of all images.

    Returns:
        Index pairs into `names` in the order of the lines, and one message per invalid line.

    Raises:
        InvalidInput: If the file cannot be read.
    """
    indices = {name: index for index, name in enumerate(names)}
    pairs, problems = array("i"), []
    for number, line in _lines(Path(path)):
        try:
            words = _split(line)
            if line.startswith("#") and words[0] not in indices:
                continue
            pairs.extend(_pair(words, indices))
        except InvalidInput as error:
            problems.append(f"{path}:{number}: {error}")
    return np.frombuffer(pairs, np.int32).reshape(-1, 2), _truncate(problems, path)


def pair_list_digest(path: str | os.PathLike[str]) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a list's content.

    Args:
        path: Path of the list.

    Raises:
        InvalidInput: If the file cannot be read.
    """
    with _translate_errors(Path(path)):
        return file_digest(Path(path).expanduser())[:SHORT_DIGEST_LENGTH]


def check_pair_list(path: str | os.PathLike[str]) -> None:
    """Check that a list can be opened, before any work starts.

    Args:
        path: Path of the list.

    Raises:
        InvalidInput: If the file cannot be read.
    """
    next(_lines(Path(path)), None)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of nonempty lines; bytes that are not UTF-8 become surrogates, as in file names."""
    with (
        _translate_errors(path),
        path.expanduser().open(encoding="utf-8-sig", errors="surrogateescape") as file,
    ):
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line.strip("\r\n")


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInput(f"cannot read the pair list {path}: {error.strerror or error}") from error


def _split(line: str) -> list[str]:
    separator = "\t" if "\t" in line else " "
    try:
        return next(csv.reader([line.strip(" ")], delimiter=separator, skipinitialspace=True))
    except csv.Error:  # a field exceeds the limit of the csv module, and the length of any name
        return line.split(separator)


def _pair(words: Sequence[str], indices: Mapping[str, int]) -> tuple[int, int]:
    if len(words) != 2:
        raise InvalidInput(
            f"expected two image names, got {len(words)}; separate them by a tab, or put names with spaces in double "
            "quotes"
        )
    unknown = [name for name in words if name not in indices]
    if unknown:
        named = " and ".join(map(_quote, unknown))
        raise InvalidInput(f"{named} not found among the {len(indices)} images")
    if words[0] == words[1]:
        raise InvalidInput(f"{words[0]!r} is paired with itself")
    return indices[words[0]], indices[words[1]]


def _quote(name: str) -> str:
    return repr(name) if len(name) <= MAX_NAME else f"{name[:MAX_NAME]!r}… ({len(name):,} characters)"


def _truncate(problems: list[str], path: str | os.PathLike[str]) -> tuple[str, ...]:
    more = len(problems) - MAX_PROBLEMS
    return tuple(problems[:MAX_PROBLEMS] + ([f"{path}: {more} more invalid lines"] if more > 0 else []))
