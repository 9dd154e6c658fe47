"""Lists of pairs: text files with the names of two photographs a line."""

import csv
import hashlib
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from tiepoint.errors import InvalidInput

MAX_PROBLEMS = 100
"""Lines that are named; of the others only the number is told."""

MAX_NAME = 255
"""Characters of an unknown name that are shown."""


def read_pair_list(
    path: str | os.PathLike[str], names: Sequence[str]
) -> tuple[Int32[np.ndarray, "p 2"], tuple[str, ...]]:
    """Read the pairs of a list.

    Names are separated by a tab or by spaces; a name with spaces stands in double quotes where there is no tab. Empty
    lines say nothing; nor do those that begin with "#", unless a photograph has the name that stands there first.

    Args:
        path: of the list, in UTF-8.
        names: of all photographs.

    Returns:
        Indices into `names`, line by line; and a line for each line that couldn't be used.

    Raises:
        InvalidInput: the file can't be read.
    """
    places = {name: index for index, name in enumerate(names)}
    found, problems = array("i"), []
    for number, line in _lines(Path(path)):
        try:
            words = _words(line)
            if line.startswith("#") and words[0] not in places:
                continue
            found.extend(_pair(words, places))
        except InvalidInput as error:
            problems.append(f"{path}:{number}: {error}")
    return np.frombuffer(found, np.int32).reshape(-1, 2), _shortened(problems, path)


def pair_list_digest(path: str | os.PathLike[str]) -> str:
    """16 hexadecimal digits of the SHA-256 of a list's content.

    Raises:
        InvalidInput: the file can't be read.
    """
    with _reading(Path(path)), Path(path).expanduser().open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def check_pair_list(path: str | os.PathLike[str]) -> None:
    """Raise InvalidInput where the list can't be opened, before there is any work."""
    next(_lines(Path(path)), None)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbers and texts of the lines that say something; surrogates stand for what isn't UTF-8, as in file names."""
    with _reading(path), path.expanduser().open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line.strip("\r\n")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInput(f"can't read the list of pairs {path}: {error.strerror or error}") from error


def _words(line: str) -> list[str]:
    separator = "\t" if "\t" in line else " "
    try:
        return next(csv.reader([line.strip(" ")], delimiter=separator, skipinitialspace=True))
    except csv.Error:  # a word is longer than this module takes, and than any name
        return line.split(separator)


def _pair(words: Sequence[str], places: Mapping[str, int]) -> tuple[int, int]:
    if len(words) != 2:
        raise InvalidInput(
            f"expected the names of two photographs, but found {len(words)}; separate them by a tab, or put names "
            "with spaces in double quotes"
        )
    unknown = [name for name in words if name not in places]
    if unknown:
        named = " and ".join(map(_quoted, unknown))
        raise InvalidInput(f"{named}: not among the {len(places)} photographs")
    if words[0] == words[1]:
        raise InvalidInput(f"{words[0]!r} is paired with itself")
    return places[words[0]], places[words[1]]


def _quoted(name: str) -> str:
    return repr(name) if len(name) <= MAX_NAME else f"{name[:MAX_NAME]!r}… ({len(name):,} characters)"


def _shortened(problems: list[str], path: str | os.PathLike[str]) -> tuple[str, ...]:
    more = len(problems) - MAX_PROBLEMS
    return tuple(problems[:MAX_PROBLEMS] + ([f"{path}: {more} more lines can't be used"] if more > 0 else []))
