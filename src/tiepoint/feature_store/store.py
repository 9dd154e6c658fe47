"""Store: records that were all created with the same settings."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from tiepoint.errors import InvalidInput, StoreError
from tiepoint.feature_store.hdf5_shard import (
    UNREADABLE,
    Header,
    JSONScalar,
    Record,
    check_shard,
    h5py,
    read_header,
    read_record,
    read_records,
    write_shard,
)
from tiepoint.feature_store.key_index import KeyIndex
from tiepoint.feature_store.keys import KeySet
from tiepoint.feature_store.storage import DAMAGED, STALE, SUFFIX, Location, Storage, open_storage
from tiepoint.io.hashing import json_digest
from tiepoint.io.messages import first_line

logger = logging.getLogger(__name__)

FORMAT = 1
SETTINGS = "settings.json"

Check = Literal["bytes", "headers"]
# What is read when a shard is first opened: every byte, or only its header

T = TypeVar("T")


class Store:
    """Records that were all created with the same settings.

    Args:
        folder: Path or URL ("s3://bucket/store") of the store; an empty folder, or an existing store. Created if it
            does not exist.
        settings: All settings that the records depend on.
        check: "bytes" detects damage when a shard is first opened, by reading all of it; "headers" detects it when a
            record is read.
        hint: Advice at the end of messages about damaged shards; "": the caller recomputes missing records.

    Raises:
        StoreError: If the folder contains other files, or a store with other settings; the message lists the
            differences.
        InvalidInput: If the folder cannot be created or written to.
        MissingDependency: If h5py, or fsspec for a URL, is not installed.
    """

    def __init__(
        self, folder: Location, settings: Mapping[str, JSONScalar], *, check: Check = "bytes", hint: str = ""
    ) -> None:
        h5py()
        self.storage = open_storage(folder)
        self.folder = getattr(self.storage, "folder", str(folder))
        self.settings = dict(settings)
        self.fingerprint = json_digest(self.settings)
        self.warnings: list[str] = []  # one per damaged shard
        self._check = check
        self._hint = hint
        self._indexes: dict[str, KeyIndex] = {}
        _open(self.storage, self.settings)

    def keys(self, kind: str) -> set[str]:
        """Return the keys of all intact records of a kind; reads shards that were added since the last call.

        Args:
            kind: Kind of record, for example "features".

        Raises:
            StoreError: If a shard was created with other settings.
        """
        return {key for key, _ in self.scan(kind)}

    def missing(self, kind: str, keys: Iterable[str]) -> list[str]:
        """Return the keys that have no intact record yet, without duplicates, in the given order."""
        distinct = list(dict.fromkeys(keys))
        is_done = self.done(kind).contains(distinct)
        return [key for key, done in zip(distinct, is_done, strict=True) if not done]

    def done(self, kind: str) -> KeySet:
        """Return the same keys as `keys`, as a compact set for millions of records.

        Args:
            kind: Kind of record.

        Raises:
            StoreError: If a shard was created with other settings.
        """
        return self._refreshed(kind).keys()

    def shards(self, kind: str) -> list[str]:
        """Return the names of all intact shards; raises StoreError as `keys` does."""
        return self._refreshed(kind).shards()

    def has(self, kind: str, key: str) -> bool:
        """Return whether a record existed when the shards of this kind were last listed; lists them on the first call."""
        return self.shard(kind, key) is not None

    def shard(self, kind: str, key: str) -> str | None:
        """Return the name of the shard that contains a record, or None; uses the same listing as `has`."""
        return (self._indexes.get(kind) or self._refreshed(kind)).shard(key)

    def write(self, kind: str, records: Mapping[str, Record]) -> Path:
        """Write one immutable shard, atomically.

        Args:
            kind: Kind of record.
            records: Records by key; any string is a valid key. Dtypes and shapes of arrays are preserved.

        Returns:
            Path of the shard or of its local copy; its name depends on the keys only.

        Raises:
            InvalidInput: If the shard cannot be written.
        """
        name = json_digest(sorted(records)) + SUFFIX
        with self.storage.new_shard(kind, name) as temporary:
            write_shard(temporary, self.fingerprint, records)
        self._index(kind).add(name, records)
        return self.storage.fetch(kind, name)

    def register_shard(self, kind: str, shard: str, keys: Iterable[str]) -> None:
        """Add a shard that another process has just written to the index, without reading it."""
        self._index(kind).add(shard, keys)

    def read(self, kind: str, key: str, *names: str, shard: str | None = None) -> dict[str, Any]:
        """Read one record.

        Args:
            kind: Kind of record.
            key: Key of the record.
            names: Names of the arrays to read; none given: all. Scalars are always read.
            shard: Name of the shard, if known; None looks it up.

        Raises:
            StoreError: If there is no such record, or its shard is damaged; a damaged shard is quarantined.
        """
        shard = shard or self.shard(kind, key) or self._refreshed(kind).shard(key)
        if shard is None:
            raise StoreError(f"{self.folder} has no {kind} of {key!r}; compute them first")
        try:
            return read_record(self.storage.fetch(kind, shard), key, names)
        except UNREADABLE as error:
            raise self._corrupted(kind, shard, error) from error

    def scan(self, kind: str, *names: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield key and content of every record, shard by shard.

        Args:
            kind: Kind of record.
            names: Names of the arrays to read; none given: scalars only.

        Raises:
            StoreError: If a shard was created with other settings, or was damaged after it was first opened.
        """
        index = self._refreshed(kind)
        for shard in index.shards():
            records = self.records(kind, shard, *names).items()
            # of a key in several shards, only the record that `read` returns is yielded
            yield from ((key, record) for key, record in records if index.shard(key) == shard)

    def records(self, kind: str, shard: str, *names: str) -> dict[str, dict[str, Any]]:
        """Return all records of one shard by key, with the same content as from `scan`.

        Raises:
            StoreError: If the shard is damaged; it is quarantined.
        """
        try:
            if not names:
                return self._peek_header(kind, shard, lambda path: dict(read_records(path, None)))
            return dict(read_records(self.storage.fetch(kind, shard), names))
        except UNREADABLE as error:
            raise self._corrupted(kind, shard, error) from error

    def quarantine_damaged(self, kind: str) -> list[str]:
        """Read every byte of all shards of a kind and quarantine damaged ones; return one message per damaged shard."""
        messages = []
        for shard in self.storage.shards(kind):
            try:
                check_shard(self.storage.fetch(kind, shard))
            except UNREADABLE as error:
                messages.append(str(self._corrupted(kind, shard, error)))
        return messages

    def quarantine(self, kind: str, shard: str) -> None:
        """Exclude an intact shard whose inputs have changed; its keys become missing."""
        self._remove(kind, shard, STALE)

    def has_quarantined(self, kind: str) -> bool:
        """Return whether any process ever quarantined a shard of this kind; recomputed records may differ."""
        return self.storage.has_quarantined(kind)

    def _index(self, kind: str) -> KeyIndex:
        return self._indexes.setdefault(kind, KeyIndex())

    def _refreshed(self, kind: str) -> KeyIndex:
        """Return the index after adding new shards."""
        index = self._index(kind)
        known = set(index.shards())
        for shard in self.storage.shards(kind):
            if shard not in known and (header := self._header(kind, shard)) is not None:
                index.add(shard, header.keys)
        return index

    def _header(self, kind: str, shard: str) -> Header | None:
        """Return the header of a shard, or None if it is damaged."""
        try:
            if self._check == "bytes":
                header = check_shard(self.storage.fetch(kind, shard))
            else:
                header = self._peek_header(kind, shard, read_header)
        except UNREADABLE as error:
            self._corrupted(kind, shard, error)
            logger.warning("%s", self.warnings[-1])
            return None
        if header.fingerprint != self.fingerprint:
            raise StoreError(
                f"{self.storage.path(kind, shard)} was created with other settings (fingerprint {header.fingerprint}, "
                f"expected {self.fingerprint}); move it out of the store"
            )
        return header

    def _peek_header(self, kind: str, shard: str, read: Callable[[Path], T]) -> T:
        """Read the start of a shard, or all of it if that is not sufficient."""
        try:
            return read(self.storage.fetch_head(kind, shard))
        except UNREADABLE:
            return read(self.storage.fetch(kind, shard))

    def _corrupted(self, kind: str, shard: str, error: Exception) -> StoreError:
        """Return the error for a shard that could not be read; quarantine it unless the system caused the error."""
        path = self.storage.path(kind, shard)
        if isinstance(error, InvalidInput):  # the shard could not be fetched; its bytes may be intact
            raise StoreError(f"cannot read {path}: {error}") from error
        if isinstance(error, OSError) and error.errno is not None:
            raise StoreError(f"cannot read {path}: {error.strerror or first_line(error)}") from error
        self._remove(kind, shard, DAMAGED)
        reason = f"{path} is damaged ({first_line(error)}) and was quarantined"
        self.warnings.append(f"{reason}; {self._hint or 'its records will be recomputed'}")
        return StoreError(f"{reason}; {self._hint or 'run the same command again'}")

    def _remove(self, kind: str, shard: str, suffix: str) -> None:
        self.storage.quarantine(kind, shard, suffix)
        self._index(kind).remove(shard)


def differences(stored: Mapping[str, Any], requested: Mapping[str, Any]) -> str:
    """Describe the differences between two settings; "" if there are none."""
    names = [name for name in {**stored, **requested} if stored.get(name) != requested.get(name)]
    return ", ".join(f"{name} {stored.get(name)!r}, not {requested.get(name)!r}" for name in names)


def _open(storage: Storage, settings: Mapping[str, JSONScalar]) -> None:
    files = storage.files()
    if not files:
        storage.write_text(SETTINGS, json.dumps({"format": FORMAT, "settings": settings}, indent=1) + "\n")
    elif SETTINGS not in files:
        raise StoreError(
            f"{storage} is not a store: it contains {files[0]!r}, but no {SETTINGS}; use a new or empty folder"
        )
    else:
        _compare_settings(storage, settings)


def _compare_settings(storage: Storage, settings: Mapping[str, JSONScalar]) -> None:
    try:
        content = json.loads(storage.read_text(SETTINGS))
        stored, version = dict(content["settings"]), content["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{storage.path('', SETTINGS)} is damaged; delete the store or use another folder"
        ) from error
    if version != FORMAT:
        raise StoreError(f"{storage} has format {version}, expected {FORMAT}; use a new folder")
    if difference := differences(stored, settings):
        raise StoreError(f"{storage} was created with other settings: {difference}; use another folder")
