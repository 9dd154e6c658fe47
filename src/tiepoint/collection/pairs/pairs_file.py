"""The file `pairs.txt` of an output folder: the selected pairs, and a comment with the inputs they were selected from."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs.selection import parse_pair_selection
from tiepoint.collection.state import PAIRS, State
from tiepoint.errors import StoreError
from tiepoint.io.atomic import atomic_write
from tiepoint.io.hashing import json_digest

COMMENT = "# "


def pairs_provenance(
    selection: str,
    images: Iterable[ImageRecord],
    features: Mapping[str, Any],
    list_digest: str | None = None,
) -> str:
    """Return one line that identifies the inputs of a pair selection: method, images, features, list.

    Args:
        selection: Pair selection, as for `match_collection`.
        images: Images with features.
        features: Settings of these features.
        list_digest: Digest of the pair list, as in `State`; None computes it from the current file.

    Raises:
        InvalidInput: If the list has to be read and cannot be read.
    """
    if list_digest is None:
        list_digest = parse_pair_selection(selection).list_digest()
    inputs = [[image.key for image in images], features, *([list_digest] if list_digest else [])]
    return f"{json.dumps(selection)} {json_digest(inputs)}"


def write_selected_pairs(folder: Path, pairs: Iterable[tuple[str, str]], provenance: str) -> None:
    """Write one pair of image names per line, as `list:FILE` reads them, below a comment with the provenance.

    Args:
        folder: Output folder.
        pairs: Names of the two images of each pair.
        provenance: Line from `pairs_provenance`; `pairs_are_current` compares it.

    Raises:
        InvalidInput: If the file cannot be written.
    """
    with (
        atomic_write(folder / PAIRS) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        file.write(f"{COMMENT}{provenance}\n")
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows(pairs)


def read_selected_pairs(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the selected pairs of the last run; none if it ended before the selection.

    Raises:
        StoreError: If the file is damaged.
    """
    path = folder / PAIRS
    if path.is_file():
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = csv.reader(file, delimiter="\t")
            try:
                yield from ((row[0], row[1]) for row in rows if len(row) == 2)  # the comment has no tab
            except csv.Error as error:
                raise StoreError(
                    f"{path} is damaged ({error}); select the pairs again: tiepoint collection pairs {folder}"
                ) from error


def read_pairs_provenance(folder: Path) -> str:
    """Return the provenance with which the selected pairs were written; "" if there is none."""
    path = folder / PAIRS
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        first = file.readline().rstrip("\n")
    return first.removeprefix(COMMENT) if first.startswith(COMMENT) else ""


def pairs_are_current(folder: Path, state: State, images: Iterable[ImageRecord]) -> bool:
    """Return whether `pairs.txt` holds the selection of the last run among these images."""
    options, features = state.options, state.settings["features"]
    expected = pairs_provenance(options["pairs"], images, features, state.list_digest)
    return read_pairs_provenance(folder) == expected
