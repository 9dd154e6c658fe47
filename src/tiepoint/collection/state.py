"""State of a collection's output folder: `collection.json` (images and options of the last run) and the record stores.

There is one store each for features, matches and verified pairs. The name of a store contains the digest of its settings,
so different settings use different stores and no record is ever stale because of an option. The settings of matches
include those of features, and the settings of verification include those of matches: other matching options keep the
features.
"""

import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.collection.images import ImageRecord, image_from_dict, image_to_dict
from tiepoint.errors import InvalidInput, StoreError
from tiepoint.feature_store import Store
from tiepoint.feature_store.store import Check
from tiepoint.io.atomic import check_writable
from tiepoint.io.folders import paths_below
from tiepoint.io.hashing import json_digest
from tiepoint.io.serialization import write_json
from tiepoint.types import TwoViewEstimate

FORMAT = 1
COLLECTION = "collection.json"
PAIRS, PAIRS_PROVENANCE = "pairs.txt", "pairs.json"
PROGRESS = "progress.json"

OUTPUT_NAMES = (
    COLLECTION,
    PAIRS,
    PAIRS_PROVENANCE,
    PROGRESS,
    "stores",
    "report.json",
    "report.html",
    "colmap",
    "exports",
    "view.html",
)
"""Files and folders of an output folder; all but `COLLECTION` may remain after that was deleted."""

TEMPORARY = ".tiepoint-*"
HOUR = 3600
MAX_FILE_AGE_S, MAX_MODEL_AGE_S = 6 * HOUR, 7 * 24 * HOUR
"""Age in seconds after which a temporary file, or a temporary folder of COLMAP models, counts as left over from a killed
process. Shards are written in seconds, but databases may take hours and a running mapper days."""

KINDS = ("features", "matches", "verified")
"""Kinds of records, one store each."""

Settings = Mapping[str, Mapping[str, Any]]
"""Kind of record -> all settings that determine these records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Images and options of the last run.

    Attributes:
        image_folder: Folder of the images.
        images: Records of all images with a readable header, in natural sort order of their names.
        options: Options of the run ("preset", "pairs", "verify", …); those of `tiepoint.load` are under "load".
        stores: Folder or URL of the stores; "" for the subfolder `stores` of the output folder, wherever that is moved.
        settings: Settings of the records of each kind: "features", "matches", "verified".
        list_digest: Digest of the pair list when the run started; "" if the pairs do not come from a list.
    """

    image_folder: Path
    images: tuple[ImageRecord, ...]
    options: dict[str, Any]
    stores: str
    settings: dict[str, dict[str, Any]]
    list_digest: str = ""

    def __repr__(self) -> str:
        return f"State({len(self.images)} images of {str(self.image_folder)!r}, pairs={self.options.get('pairs')!r})"


@dataclass(frozen=True, slots=True, eq=False)
class Stores:
    """The stores of features, matches and verified pairs of one set of settings."""

    features: Store
    matches: Store
    verified: Store

    @classmethod
    def open(cls, location: str, settings: Settings, *, check: Check = "headers", hint: str = "") -> "Stores":
        """Open the stores of these settings; missing ones are created.

        Args:
            location: Folder or URL that contains the stores.
            settings: Settings of the records of each kind.
            check: Integrity check of shards, see `Store`.
            hint: Advice that is added to messages about damaged shards, see `Store`.

        Raises:
            StoreError: If a store path holds something else.
            InvalidInput: If the location cannot be used.
            MissingDependency: If h5py is not installed, or fsspec for a URL.
        """
        if missing := [kind for kind in KINDS if kind not in settings]:
            raise StoreError(f"the collection has no settings of {missing[0]}; run it again")
        folders = [f"{location.rstrip('/')}/{kind}-{json_digest(settings[kind])}" for kind in KINDS]
        return cls(
            *(
                Store(folder, settings[kind], check=check, hint=hint)
                for folder, kind in zip(folders, KINDS, strict=True)
            )
        )

    def of(self, kind: str) -> Store:
        """Return the store of a kind of records."""
        return {"features": self.features, "matches": self.matches, "verified": self.verified}[kind]


def stores_location(folder: Path, stores: str | None) -> str:
    """Return the folder or URL of the stores of an output folder with this value of `State.stores`."""
    return stores or str(folder.absolute() / "stores")


def resume_hint(folder: Path, state: State) -> str:
    """Return the advice for messages about missing or damaged records: the command that recomputes them."""
    last = "match" if state.options.get("verify") is False else "verify"
    return f"to compute what is missing, run: tiepoint collection {last} {folder}"


def prepare_folder(folder: Path) -> State | None:
    """Create an output folder, or check an existing one.

    Returns:
        The state of an earlier run; None if there was none.

    Raises:
        InvalidInput: If the folder cannot be created or written to, or is not a collection.
        StoreError: If another format version of tiepoint wrote it, or its state file is damaged.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in folder.iterdir() if not path.match(TEMPORARY))
    except OSError as error:
        reason = error.strerror or error
        raise InvalidInput(
            f"cannot use {folder} as output folder: {reason}; choose another folder"
        ) from error
    check_writable(folder / COLLECTION)
    unexpected = [name for name in names if name not in OUTPUT_NAMES]
    if COLLECTION not in names and unexpected:
        raise InvalidInput(
            f"{folder} is not a tiepoint collection, it contains {unexpected[0]!r}; use a new or empty folder"
        )
    return read_state(folder) if COLLECTION in names else None


def clear_leftovers(folder: Path, stores: str) -> None:
    """Remove old temporary files of killed processes; recent ones may belong to a running process and stay.

    Args:
        folder: Output folder.
        stores: Folder or URL from `stores_location`; object storage has no partial files.
    """
    _remove_old(folder.glob(TEMPORARY), MAX_FILE_AGE_S)
    _remove_old(_temporary_below(folder / "exports"), MAX_FILE_AGE_S)
    _remove_old((folder / "colmap").glob(TEMPORARY), MAX_MODEL_AGE_S)
    if "://" not in stores:
        _remove_old(_temporary_below(Path(stores)), MAX_FILE_AGE_S)


def read_state(folder: Path) -> State:
    """Read the state of the last run.

    Raises:
        InvalidInput: If the folder is not a collection.
        StoreError: If another format version of tiepoint wrote it, or the file is damaged.
    """
    path = folder / COLLECTION
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
        format_version, creator = contents["format"], contents["tiepoint"]
        if format_version != FORMAT:
            raise _incompatible(folder, format_version, creator)
        return _parse_state(contents)
    except OSError as error:
        raise InvalidInput(
            f"{folder} is not a tiepoint collection; run `tiepoint collection run IMAGES {folder}` first"
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        raise StoreError(
            f"{path} is damaged; delete it and run again: features and matches stay in {folder / 'stores'}"
        ) from error


def write_state(folder: Path, state: State) -> None:
    """Write the state atomically.

    Raises:
        InvalidInput: If the file cannot be written.
    """
    contents = {
        "format": FORMAT,
        "tiepoint": version("tiepoint"),
        "photos": str(state.image_folder),
        "stores": state.stores,
        "options": state.options,
        "settings": state.settings,
        "list_digest": state.list_digest,
        "photographs": [image_to_dict(image) for image in state.images],
    }
    write_json(contents, folder / COLLECTION)


def estimate_to_record(estimate: TwoViewEstimate) -> dict[str, Any]:
    """Return the store record of a two-view geometry: its matrix and the indices of the inlier matches."""
    matrix = {} if estimate.matrix is None else {"matrix": estimate.matrix.astype(np.float64)}
    return {
        **matrix,
        "inliers": np.flatnonzero(estimate.inliers).astype(np.int32),
        "success": estimate.success,
        "num_inliers": estimate.num_inliers,
        "num_matches": len(estimate.inliers),
        "kind": estimate.kind,
        "method": estimate.method,
        "max_error_px": estimate.max_error_px,
        "reason": estimate.reason,
    }


def estimate_from_record(record: Mapping[str, Any]) -> TwoViewEstimate:
    """Return the two-view geometry of a record from `estimate_to_record`."""
    inliers = np.zeros(record["num_matches"], bool)
    inliers[record["inliers"]] = True
    return TwoViewEstimate(
        kind=record["kind"],
        matrix=record.get("matrix"),
        inliers=inliers,
        method=record["method"],
        max_error_px=record["max_error_px"],
        reason=record["reason"],
    )


def _temporary_below(folder: Path) -> Iterator[Path]:
    return (path for path in paths_below(folder) if path.match(TEMPORARY))


def _remove_old(paths: Iterable[Path], max_age_s: float) -> None:
    now = time.time()
    for path in paths:
        with suppress(OSError):  # another run may remove it at the same time
            if now - path.stat().st_mtime > max_age_s:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _parse_state(contents: dict[str, Any]) -> State:
    image_folder = Path(contents["photos"])
    return State(
        image_folder=image_folder,
        images=tuple(image_from_dict(values, image_folder) for values in contents["photographs"]),
        options=contents["options"],
        stores=contents["stores"],
        settings=contents["settings"],
        list_digest=contents.get("list_digest", ""),
    )


def _incompatible(folder: Path, format_version: object, creator: object) -> StoreError:
    return StoreError(
        f"{folder} was created by tiepoint {creator} with format version {format_version}, expected {FORMAT}; "
        "use a new folder, or that version of tiepoint"
    )
