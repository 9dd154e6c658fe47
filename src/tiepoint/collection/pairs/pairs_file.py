"""The selected pairs of an output folder: `pairs.txt`, and `pairs.json` with the inputs they were selected from.

`pairs.txt` has two names per line, separated by a space, and nothing else: COLMAP (`matches_importer`) and hloc read it.
They cannot read names with white space, which are in double quotes here, as `list:FILE` reads them.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs.selection import parse_pair_selection
from tiepoint.collection.state import PAIRS, PAIRS_PROVENANCE, State
from tiepoint.errors import InvalidInput, StoreError
from tiepoint.io.atomic import atomic_write
from tiepoint.io.hashing import file_digest, json_digest
from tiepoint.io.serialization import write_json

DELIMITER = " "


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
    """Write `pairs.txt`, one pair of image names per line, and `pairs.json` with its provenance.

    Args:
        folder: Output folder.
        pairs: Names of the two images of each pair.
        provenance: Line from `pairs_provenance`; `pairs_are_current` compares it.

    Raises:
        InvalidInput: If a file cannot be written.
    """
    with (
        atomic_write(folder / PAIRS) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        csv.writer(file, delimiter=DELIMITER, lineterminator="\n").writerows(pairs)
    contents = {"provenance": provenance, "digest": file_digest(folder / PAIRS)}
    write_json(contents, folder / PAIRS_PROVENANCE)


def write_plain_pairs(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Write one pair per line for other programs, which know no quotes.

    Args:
        path: Output file.
        pairs: Names of the two images of each pair.

    Raises:
        InvalidInput: If the format cannot hold a name.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        for names in pairs:
            check_plain_names(names)
            file.write(DELIMITER.join(names) + "\n")


def check_plain_names(names: Iterable[str]) -> None:
    """Check that text files of COLMAP and hloc can hold image names.

    Args:
        names: Names of images.

    Raises:
        InvalidInput: If a name contains white space, or starts with "#", which marks a comment.
    """
    invalid = plain_name_problems(names)
    if invalid:
        raise InvalidInput(
            f"text files of COLMAP and hloc cannot hold names with spaces or a leading #, got {len(invalid)} of them, "
            f"for example {invalid[0]!r}; rename the images, or export another format"
        )


def plain_name_problems(names: Iterable[str]) -> list[str]:
    """Return the names with white space or a leading "#", which text files of COLMAP and hloc cannot hold."""
    return [name for name in names if name.split() != [name] or name.startswith("#")]


def read_selected_pairs(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the selected pairs of the last run; none if it ended before the selection.

    Raises:
        StoreError: If the file is damaged.
    """
    path = folder / PAIRS
    if path.is_file():
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            try:
                for row in csv.reader(file, delimiter=DELIMITER):
                    yield _pair(row)
            except (csv.Error, ValueError) as error:
                raise StoreError(
                    f"{path} is damaged ({error}); select the pairs again: tiepoint collection pairs {folder}"
                ) from error


def _pair(row: list[str]) -> tuple[str, str]:
    if len(row) != 2:
        raise ValueError(f"expected two names per line, got {len(row)}")
    return row[0], row[1]


def read_pairs_provenance(folder: Path) -> str:
    """Return the provenance with which the selected pairs were written; "" if there is none, or of other pairs."""
    pairs, path = folder / PAIRS, folder / PAIRS_PROVENANCE
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
        is_current = contents["digest"] == file_digest(pairs)
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return str(contents["provenance"]) if is_current else ""


def pairs_are_current(folder: Path, state: State, images: Iterable[ImageRecord]) -> bool:
    """Return whether `pairs.txt` holds the selection of the last run among these images."""
    options, features = state.options, state.settings["features"]
    expected = pairs_provenance(options["pairs"], images, features, state.list_digest)
    return read_pairs_provenance(folder) == expected
