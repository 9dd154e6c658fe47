"""What a run writes down of itself in its output folder: photographs, options, chosen pairs."""

import csv
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tiepoint.collection.images import ImageRecord, image_from_dict, image_to_dict
from tiepoint.collection.pairs.selection import parse_pair_selection
from tiepoint.errors import InvalidInput, StoreError
from tiepoint.io.atomic import atomic_write, check_writable
from tiepoint.io.hashing import json_digest

FORMAT = 1
COLLECTION = "collection.json"
PAIRS = "pairs.txt"
COMMENT = "# "

OURS = (COLLECTION, PAIRS, "stores", "report.json", "report.html", "colmap", "exports", "view.html")
"""What an output folder holds; without `COLLECTION`, what is left after that was removed."""

TEMPORARY = ".tiepoint-*"
HOUR = 3600
OLD_SHARD, OLD_MODEL = 6 * HOUR, 7 * 24 * HOUR
"""Seconds after which what bears a temporary name is a leftover of a process that was killed: shards take seconds to be
written, but a database hours, and the folder of a mapper that is still at work may be days old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the last run was asked, and what it found.

    Attributes:
        photos: the folder of photographs.
        photographs: all whose header can be read, in natural order of their names.
        options: of the run: "preset", "pairs", "verify" …, and those of `tiepoint.load` under "load".
        stores: where the stores are, a folder or a URL; "": in the output folder, wherever that moves.
        settings: "features", "matches" and "verified" -> what decides those records; the keys of the stores.
        list_digest: of the list of pairs, as it was when the run began; "" where pairs come from no list.
    """

    photos: Path
    photographs: tuple[ImageRecord, ...]
    options: dict[str, Any]
    stores: str
    settings: dict[str, dict[str, Any]]
    list_digest: str = ""


def stores_location(folder: Path, stores: str | None) -> str:
    """Where the stores of an output folder are, when `State.stores` is this."""
    return stores or str(folder.absolute() / "stores")


def resume_hint(folder: Path, state: State) -> str:
    """What a message says is to be done where something of an output folder is missing or damaged."""
    last = "match" if state.options.get("verify") is False else "verify"
    return f"`tiepoint collection {last} {folder}` makes what is missing, or says why it can't"


def prepare_folder(folder: Path) -> State | None:
    """Make an output folder, or look at the one that is there.

    Returns:
        What an earlier run wrote down; None where there was none.

    Raises:
        InvalidInput: it can't be made or written to, or holds something else.
        StoreError: another version of tiepoint made it, or it is damaged.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".tiepoint-"))
    except OSError as error:
        reason = error.strerror or error
        raise InvalidInput(f"can't use {folder} for results: {reason}; choose another folder") from error
    check_writable(folder / COLLECTION)
    strangers = [name for name in found if name not in OURS]
    if COLLECTION not in found and strangers:
        raise InvalidInput(f"{folder} holds {strangers[0]!r}, but no collection; name a new or empty folder")
    return read_state(folder) if COLLECTION in found else None


def clear_leftovers(folder: Path, stores: str) -> None:
    """Remove what processes that were killed have half written; what may be that of a living one stays.

    Args:
        folder: the output folder.
        stores: from `stores_location`; object storage has no halves.
    """
    _clear(folder.glob(TEMPORARY), OLD_SHARD)
    _clear((folder / "exports").rglob(TEMPORARY), OLD_SHARD)
    _clear((folder / "colmap").glob(TEMPORARY), OLD_MODEL)
    if "://" not in stores:
        _clear(Path(stores).glob(f"*/{TEMPORARY}"), OLD_SHARD)
        _clear(Path(stores).glob(f"*/*/{TEMPORARY}"), OLD_SHARD)


def read_state(folder: Path) -> State:
    """What the last run wrote down.

    Raises:
        InvalidInput: no run has written there.
        StoreError: another version of tiepoint made it, or it is damaged.
    """
    path = folder / COLLECTION
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        form, maker = found["format"], found["tiepoint"]
        return _state(found) if form == FORMAT else _refuse(folder, form, maker)
    except OSError as error:
        raise InvalidInput(
            f"{folder} holds no collection; run `tiepoint collection run PHOTOS {folder}` first"
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        raise StoreError(
            f"{path} is damaged; remove it and run again: features and matches stay in {folder / 'stores'}"
        ) from error


def write_state(folder: Path, state: State) -> None:
    """Write it down, whole or not at all. Raises InvalidInput where it can't be written."""
    contents = {
        "format": FORMAT,
        "tiepoint": version("tiepoint"),
        "photos": str(state.photos),
        "stores": state.stores,
        "options": state.options,
        "settings": state.settings,
        "list_digest": state.list_digest,
        "photographs": [image_to_dict(photograph) for photograph in state.photographs],
    }
    with atomic_write(folder / COLLECTION) as temporary:
        temporary.write_text(json.dumps(contents, indent=1, default=str) + "\n", encoding="utf-8")


def pairs_provenance(
    choice: str,
    photographs: Iterable[ImageRecord],
    features: Mapping[str, Any],
    list_digest: str | None = None,
) -> str:
    """What a choice of pairs follows from, in one line: how they are chosen, of which photographs, by which features.

    Args:
        choice: as `match_collection` takes it.
        photographs: that have features.
        features: the settings of these.
        list_digest: as of `State`; None: of the list as it is now.

    Raises:
        InvalidInput: the list is asked for now, and can't be read.
    """
    if list_digest is None:
        list_digest = parse_pair_selection(choice).list_digest()
    made_of = [
        [photograph.key for photograph in photographs],
        features,
        *([list_digest] if list_digest else []),
    ]
    return f"{json.dumps(choice)} {json_digest(made_of)}"


def write_selected_pairs(folder: Path, pairs: Iterable[tuple[str, str]], source: str) -> None:
    """Write names of two photographs a line, as `list:FILE` reads them, below a comment that says of what they are.

    Args:
        folder: the output folder.
        pairs: names.
        source: from `pairs_provenance`; it tells `status` whether these pairs are those that the last run asked for.

    Raises:
        InvalidInput: they can't be written.
    """
    with (
        atomic_write(folder / PAIRS) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        file.write(f"{COMMENT}{source}\n")
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows(pairs)


def read_selected_pairs(folder: Path) -> Iterator[tuple[str, str]]:
    """The pairs that the last run chose; none where it didn't come so far.

    Raises:
        StoreError: the file is damaged.
    """
    path = folder / PAIRS
    if path.is_file():
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = csv.reader(file, delimiter="\t")
            try:
                yield from ((row[0], row[1]) for row in rows if len(row) == 2)  # the comment has no tab
            except csv.Error as error:
                raise StoreError(
                    f"{path} is damaged ({error}); choose them again: tiepoint collection pairs {folder}"
                ) from error


def read_pairs_provenance(folder: Path) -> str:
    """The `source` with which the chosen pairs were written; "" where there is none."""
    path = folder / PAIRS
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        first = file.readline().rstrip("\n")
    return first.removeprefix(COMMENT) if first.startswith(COMMENT) else ""


def pairs_are_current(folder: Path, state: State, photographs: Iterable[ImageRecord]) -> bool:
    """Whether the pairs that are written down are the choice of the last run among these photographs."""
    options, features = state.options, state.settings["features"]
    asked = pairs_provenance(options["pairs"], photographs, features, state.list_digest)
    return read_pairs_provenance(folder) == asked


def _clear(paths: Iterable[Path], age: float) -> None:
    now = time.time()
    for path in paths:
        with suppress(OSError):  # another run may be removing it too
            if now - path.stat().st_mtime > age:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _state(found: dict[str, Any]) -> State:
    photos = Path(found["photos"])
    return State(
        photos=photos,
        photographs=tuple(image_from_dict(record, photos) for record in found["photographs"]),
        options=found["options"],
        stores=found["stores"],
        settings=found["settings"],
        list_digest=found.get("list_digest", ""),
    )


def _refuse(folder: Path, form: object, maker: object) -> State:
    raise StoreError(
        f"{folder} was made by tiepoint {maker} (format {form}, not {FORMAT}); name a new folder, or use that version"
    )
