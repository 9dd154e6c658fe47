"""Store: a folder of immutable HDF5 shards, all made with the same settings.

    STORE/settings.json           what made everything in it
    STORE/features/<digest>.h5    a shard: some records of this kind
    STORE/matches/<digest>.h5

A record is what is known under one key: arrays, and plain values. A shard is written under a temporary name and takes
its own at once, so a reader never sees half of one, and any number of processes may write to one store. Resuming is
set difference: `missing` says which keys still have no record. All bytes are under a checksum; a damaged shard is
named, set aside, and its keys are missing again.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tiepoint.errors import InvalidInput, MissingDependency, StoreError
from tiepoint.files import replacing

logger = logging.getLogger(__name__)

Plain: TypeAlias = str | int | float | bool | None
"""What a settings file and a record can hold beside arrays."""

Record: TypeAlias = Mapping[str, np.ndarray | Plain]
"""Arrays and plain values by name."""

FORMAT = 1
SETTINGS = "settings.json"
HEADER = "shard"  # of a file: format, fingerprint, keys
VALUES = "values"  # of a record: its plain values
DAMAGED = ".damaged"  # added to the name of a shard that can't be trusted


class Store:
    """Records that were all made with the same settings.

    Args:
        folder: made where it doesn't exist; otherwise empty, or a store.
        settings: everything that decides what the records hold.

    Raises:
        StoreError: the folder holds something else, or a store that was made with other settings: the message
            shows the difference.
        InvalidInput: the folder can't be made or written to.
        MissingDependency: h5py isn't installed.
    """

    def __init__(self, folder: str | os.PathLike[str], settings: Mapping[str, Plain]) -> None:
        _h5py()
        self.folder = Path(folder)
        self.settings = dict(settings)
        self.fingerprint = _digest(self.settings)
        self._places: dict[str, dict[str, Path]] = {}  # kind -> key -> shard
        self._indexed: set[Path] = set()
        _open_folder(self.folder, self.settings)

    def keys(self, kind: str) -> set[str]:
        """Keys of all sound records of a kind; shards that have come since the last call are read and checked.

        Args:
            kind: of record, such as "features".

        Raises:
            StoreError: a shard was made with other settings.
        """
        places = self._places.setdefault(kind, {})
        for path in _shards(self.folder / kind):
            if path not in self._indexed:
                places.update(dict.fromkeys(self._checked_keys(path), path))
                self._indexed.add(path)
        return set(places)

    def missing(self, kind: str, keys: Iterable[str]) -> list[str]:
        """Those of the keys that have no sound record yet, each once, in the given order."""
        known = self.keys(kind)
        return [key for key in dict.fromkeys(keys) if key not in known]

    def write(self, kind: str, records: Mapping[str, Record]) -> Path:
        """Write one shard; it appears whole or not at all, and is never changed.

        Args:
            kind: of record.
            records: by key; a key may be any string. Arrays come back with the same dtype and shape.

        Returns:
            The shard; its name follows from the keys.

        Raises:
            InvalidInput: it can't be written.
        """
        folder = self.folder / kind
        folder.mkdir(exist_ok=True)
        path = folder / f"{_digest(sorted(records))}.h5"
        with replacing(path) as temporary:
            _write_shard(temporary, self.fingerprint, records)
        self._places.setdefault(kind, {}).update(dict.fromkeys(records, path))
        self._indexed.add(path)
        return path

    def read(self, kind: str, key: str, *names: str) -> dict[str, Any]:
        """Read one record.

        Args:
            kind: of record.
            key: of the record.
            names: of the arrays that are wanted; none given: all. Plain values always come.

        Raises:
            StoreError: there is no such record, or its shard is damaged.
        """
        if key not in self._places.get(kind, {}) and key not in self.keys(kind):
            raise StoreError(f"{self.folder} has no {kind} of {key!r}; run what makes them first")
        path = self._places[kind][key]
        try:
            return _read_record(path, key, names)
        except _unreadable() as error:
            raise StoreError(f"{path} is damaged ({_reason(error)}); run the same command again") from error

    def _checked_keys(self, path: Path) -> list[str]:
        """Keys of a shard of which every byte has been read; none where it is damaged."""
        try:
            fingerprint, keys = _read_shard(path)
        except _unreadable() as error:
            _set_aside(path, _reason(error))
            return []
        if fingerprint != self.fingerprint:
            raise StoreError(
                f"{path} was made with other settings (fingerprint {fingerprint}, not {self.fingerprint}); "
                "move it out of the store"
            )
        return keys


def differences(made: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """What differs between two settings, in words; "" where nothing does."""
    names = [name for name in {**made, **asked} if made.get(name) != asked.get(name)]
    return ", ".join(f"{name} {made.get(name)!r}, not {asked.get(name)!r}" for name in names)


def _open_folder(folder: Path, settings: Mapping[str, Plain]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strangers = [path.name for path in folder.iterdir() if not path.name.startswith(".tiepoint-")]
    except OSError as error:
        raise InvalidInput(
            f"can't use {folder} as a store: {error.strerror or error}; choose another folder"
        ) from error
    if not strangers:
        with replacing(folder / SETTINGS) as temporary:
            temporary.write_text(json.dumps({"format": FORMAT, "settings": settings}, indent=1) + "\n")
        return
    if SETTINGS not in strangers:
        raise StoreError(
            f"{folder} isn't a store: it holds {strangers[0]!r}, but no {SETTINGS}; name a new or empty folder"
        )
    _compare_settings(folder, settings)


def _compare_settings(folder: Path, settings: Mapping[str, Plain]) -> None:
    try:
        found = json.loads((folder / SETTINGS).read_text())
        made, version = dict(found["settings"]), found["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{folder / SETTINGS} is damaged; remove the store, or name another folder"
        ) from error
    if version != FORMAT:
        raise StoreError(f"{folder} has format {version}, not {FORMAT}; name a new folder")
    if difference := differences(made, settings):
        raise StoreError(f"{folder} was made with other settings: {difference}; name another folder")


def _shards(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.h5") if not path.name.startswith("."))


def _set_aside(path: Path, reason: str) -> None:
    logger.warning("%s is damaged (%s); what it held is made again", path, reason)
    with suppress(OSError):  # a store may be read where it can't be written
        path.rename(path.with_name(path.name + DAMAGED))


def _digest(value: Any) -> str:
    """Sixteen hexadecimal digits; what JSON can hold, lone surrogates of odd file names too."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _write_shard(path: Path, fingerprint: str, records: Mapping[str, Record]) -> None:
    # "latest" puts HDF5's own structures under checksums too
    with _h5py().File(path, "w", libver="latest") as file:
        header = {"format": FORMAT, "fingerprint": fingerprint, "keys": list(records)}
        _write_array(file, HEADER, _to_bytes(header))
        for number, record in enumerate(records.values()):  # by number: a key may hold "/"
            group = file.create_group(str(number))
            arrays = {name: value for name, value in record.items() if isinstance(value, np.ndarray)}
            for name, array in arrays.items():
                _write_array(group, f"array {name}", array)
            _write_array(
                group, VALUES, _to_bytes({name: record[name] for name in record if name not in arrays})
            )


def _write_array(group: Any, name: str, array: np.ndarray) -> None:
    checked = {"chunks": array.shape, "fletcher32": True} if array.size else {}  # no byte, no checksum
    group.create_dataset(name, data=array, **checked)


def _read_shard(path: Path) -> tuple[str, list[str]]:
    """Fingerprint and keys, after every array has been read: HDF5 compares its checksum then."""
    with _h5py().File(path, "r", locking=False) as file:
        header = _from_bytes(file[HEADER])
        for number in range(len(header["keys"])):
            for array in file[str(number)].values():
                array[()]
        return header["fingerprint"], header["keys"]


def _read_record(path: Path, key: str, names: tuple[str, ...]) -> dict[str, Any]:
    with _h5py().File(path, "r", locking=False) as file:
        group = file[str(_from_bytes(file[HEADER])["keys"].index(key))]
        arrays = {name.removeprefix("array "): array for name, array in group.items() if name != VALUES}
        chosen = {name: array[()] for name, array in arrays.items() if not names or name in names}
        return {**chosen, **_from_bytes(group[VALUES])}


def _to_bytes(value: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def _from_bytes(dataset: Any) -> Any:
    return json.loads(dataset[()].tobytes())


def _unreadable() -> tuple[type[Exception], ...]:
    """What h5py raises for bytes that it can't make sense of."""
    return (OSError, RuntimeError, KeyError, ValueError, TypeError)


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingDependency(
            "stores are HDF5 files, for which h5py isn't installed; run: python -m pip install h5py"
        ) from error
    return h5py
