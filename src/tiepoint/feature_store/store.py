"""Store: records that were all made with the same settings."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from tiepoint.errors import InvalidInput, StoreError
from tiepoint.feature_store.hdf5_shard import (
    UNREADABLE,
    Header,
    Plain,
    Record,
    check_shard,
    h5py,
    read_header,
    read_record,
    read_records,
    write_shard,
)
from tiepoint.feature_store.key_index import Index
from tiepoint.feature_store.keys import KeySet
from tiepoint.feature_store.storage import DAMAGED, STALE, SUFFIX, Location, Storage, open_storage

logger = logging.getLogger(__name__)

FORMAT = 1
SETTINGS = "settings.json"

Check = Literal["bytes", "headers"]
"""What of a shard is read when it is first seen: every byte, or only which keys it holds."""


Found = TypeVar("Found")


class Store:
    """Records that were all made with the same settings.

    Args:
        folder: made where it doesn't exist; otherwise empty, or a store. Or a URL: "s3://bucket/store".
        settings: everything that decides what the records hold.
        check: "bytes": damage is found at once, at the price of reading everything; "headers": when a record is read.
        remedy: what messages say is to be done about damage; "": whoever opened the store makes again what is missing.

    Raises:
        StoreError: the folder holds something else, or a store that was made with other settings: the message
            shows the difference.
        InvalidInput: the folder can't be made or written to.
        MissingDependency: h5py isn't installed; for a URL: fsspec.
    """

    def __init__(
        self, folder: Location, settings: Mapping[str, Plain], *, check: Check = "bytes", remedy: str = ""
    ) -> None:
        h5py()
        self.place = open_storage(folder)
        self.folder = getattr(self.place, "folder", str(folder))
        self.settings = dict(settings)
        self.fingerprint = digest_of(self.settings)
        self.complaints: list[str] = []  # of damaged shards, which were set aside
        self._check = check
        self._remedy = remedy
        self._indexes: dict[str, Index] = {}
        _open(self.place, self.settings)

    def keys(self, kind: str) -> set[str]:
        """Keys of all sound records of a kind; shards that have come since the last call are read and checked.

        Args:
            kind: of record, such as "features".

        Raises:
            StoreError: a shard was made with other settings.
        """
        return {key for key, _ in self.scan(kind)}

    def missing(self, kind: str, keys: Iterable[str]) -> list[str]:
        """Those of the keys that have no sound record yet, each once, in the given order."""
        wanted = list(dict.fromkeys(keys))
        found = self.done(kind).holds(wanted)
        return [key for key, there in zip(wanted, found, strict=True) if not there]

    def done(self, kind: str) -> KeySet:
        """The same as `keys`, by digests: for millions of records.

        Args:
            kind: of record.

        Raises:
            StoreError: as for `keys`.
        """
        return self._refreshed(kind).keys()

    def shards(self, kind: str) -> list[str]:
        """The names of all sound shards. Raises StoreError as `keys` does."""
        return self._refreshed(kind).shards()

    def has(self, kind: str, key: str) -> bool:
        """Whether there was such a record when this kind was last looked through; the first call does."""
        return self.shard(kind, key) is not None

    def shard(self, kind: str, key: str) -> str | None:
        """The name of the shard that holds a record, as `has` knows it; who is told the name needs no index."""
        return (self._indexes.get(kind) or self._refreshed(kind)).shard(key)

    def write(self, kind: str, records: Mapping[str, Record]) -> Path:
        """Write one shard; it appears whole or not at all, and is never changed.

        Args:
            kind: of record.
            records: by key; a key may be any string. Arrays come back with the same dtype and shape.

        Returns:
            The shard, or a local copy of it; its name follows from the keys.

        Raises:
            InvalidInput: it can't be written.
        """
        name = digest_of(sorted(records)) + SUFFIX
        with self.place.adding(kind, name) as temporary:
            write_shard(temporary, self.fingerprint, records)
        self._index(kind).add(name, records)
        return self.place.fetch(kind, name)

    def note(self, kind: str, shard: str, keys: Iterable[str]) -> None:
        """Learn of a sound shard that another process has just written, without reading it."""
        self._index(kind).add(shard, keys)

    def read(self, kind: str, key: str, *names: str, shard: str | None = None) -> dict[str, Any]:
        """Read one record.

        Args:
            kind: of record.
            key: of the record.
            names: of the arrays that are wanted; none given: all. Plain values always come.
            shard: its name, where that is known; None: it is looked up.

        Raises:
            StoreError: there is no such record, or its shard is damaged: then it is set aside, to be made again.
        """
        shard = shard or self.shard(kind, key) or self._refreshed(kind).shard(key)
        if shard is None:
            raise StoreError(f"{self.folder} has no {kind} of {key!r}; run what makes them first")
        try:
            return read_record(self.place.fetch(kind, shard), key, names)
        except UNREADABLE as error:
            raise self._distrusted(kind, shard, error) from error

    def scan(self, kind: str, *names: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Key, the arrays that are named, and plain values of every record, shard by shard.

        Args:
            kind: of record.
            names: of the arrays that are wanted; none given: none.

        Raises:
            StoreError: as for `keys`; or a shard was damaged since it was looked at.
        """
        index = self._refreshed(kind)
        for shard in index.shards():
            records = self.records(kind, shard, *names).items()
            # a key that several shards hold comes from the one that `read` takes it from
            yield from ((key, record) for key, record in records if index.shard(key) == shard)

    def records(self, kind: str, shard: str, *names: str) -> dict[str, dict[str, Any]]:
        """All records of one shard by key, as `scan` gives them.

        Raises:
            StoreError: it is damaged, and was set aside.
        """
        try:
            if not names:
                return self._glance(kind, shard, lambda path: dict(read_records(path, None)))
            return dict(read_records(self.place.fetch(kind, shard), names))
        except UNREADABLE as error:
            raise self._distrusted(kind, shard, error) from error

    def damaged(self, kind: str) -> list[str]:
        """Read every byte of a kind, and set damaged shards aside; where these were."""
        found = []
        for shard in self.place.shards(kind):
            try:
                check_shard(self.place.fetch(kind, shard))
            except UNREADABLE as error:
                found.append(str(self._distrusted(kind, shard, error)))
        return found

    def set_aside(self, kind: str, shard: str) -> None:
        """Have a sound shard count no more, as what it was made of has changed; its keys are missing then."""
        self._forget(kind, shard, STALE)

    def has_set_aside(self, kind: str) -> bool:
        """Whether a shard of this kind was ever set aside, by whomever: what it held may have come out otherwise."""
        return self.place.has_set_aside(kind)

    def _index(self, kind: str) -> Index:
        return self._indexes.setdefault(kind, Index())

    def _refreshed(self, kind: str) -> Index:
        """The index, after shards that it doesn't know have been looked at."""
        index = self._index(kind)
        known = set(index.shards())
        for shard in self.place.shards(kind):
            if shard not in known and (header := self._header(kind, shard)) is not None:
                index.add(shard, header.keys)
        return index

    def _header(self, kind: str, shard: str) -> Header | None:
        """What a shard says of itself; None where it is damaged."""
        try:
            if self._check == "bytes":
                header = check_shard(self.place.fetch(kind, shard))
            else:
                header = self._glance(kind, shard, read_header)
        except UNREADABLE as error:
            self._distrusted(kind, shard, error)
            logger.warning("%s", self.complaints[-1])
            return None
        if header.fingerprint != self.fingerprint:
            raise StoreError(
                f"{self.place.path(kind, shard)} was made with other settings (fingerprint {header.fingerprint}, "
                f"not {self.fingerprint}); move it out of the store"
            )
        return header

    def _glance(self, kind: str, shard: str, look: Callable[[Path], Found]) -> Found:
        """What the beginning of a shard says, or where that isn't enough, the whole of it."""
        try:
            return look(self.place.fetch_head(kind, shard))
        except UNREADABLE:
            return look(self.place.fetch(kind, shard))

    def _distrusted(self, kind: str, shard: str, error: Exception) -> StoreError:
        """What to say of a shard that couldn't be read; it is set aside, unless the system is to blame."""
        path = self.place.path(kind, shard)
        if isinstance(error, InvalidInput):  # it couldn't be fetched: nothing is known of its bytes
            raise StoreError(f"can't read {path}: {error}") from error
        if isinstance(error, OSError) and error.errno is not None:
            raise StoreError(f"can't read {path}: {error.strerror or _reason(error)}") from error
        self._forget(kind, shard, DAMAGED)
        reason = f"{path} is damaged ({_reason(error)})"
        self.complaints.append(f"{reason}; {self._remedy or 'what it held is made again'}")
        return StoreError(f"{reason} and was set aside; {self._remedy or 'run the same command again'}")

    def _forget(self, kind: str, shard: str, ending: str) -> None:
        self.place.set_aside(kind, shard, ending)
        self._index(kind).forget(shard)


def differences(made: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """What differs between two settings, in words; "" where nothing does."""
    names = [name for name in {**made, **asked} if made.get(name) != asked.get(name)]
    return ", ".join(f"{name} {made.get(name)!r}, not {asked.get(name)!r}" for name in names)


def digest_of(value: Any) -> str:
    """Sixteen hexadecimal digits; what JSON can hold, lone surrogates of odd file names too."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _open(place: Storage, settings: Mapping[str, Plain]) -> None:
    strangers = place.files()
    if not strangers:
        place.write_text(SETTINGS, json.dumps({"format": FORMAT, "settings": settings}, indent=1) + "\n")
    elif SETTINGS not in strangers:
        raise StoreError(
            f"{place} isn't a store: it holds {strangers[0]!r}, but no {SETTINGS}; name a new or empty folder"
        )
    else:
        _compare_settings(place, settings)


def _compare_settings(place: Storage, settings: Mapping[str, Plain]) -> None:
    try:
        found = json.loads(place.read_text(SETTINGS))
        made, version = dict(found["settings"]), found["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{place.path('', SETTINGS)} is damaged; remove the store, or name another folder"
        ) from error
    if version != FORMAT:
        raise StoreError(f"{place} has format {version}, not {FORMAT}; name a new folder")
    if difference := differences(made, settings):
        raise StoreError(f"{place} was made with other settings: {difference}; name another folder")


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
