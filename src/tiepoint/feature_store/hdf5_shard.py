"""One shard: some records in an HDF5 file, arrays of the same name in one column, all bytes under a checksum.

shard        JSON: format, fingerprint of the settings, keys
records      JSON: of each record its plain values, and where its arrays are: name -> (column, begin, end)
columns/0    (rows of all records, ...) one array after the other
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tiepoint.errors import MissingDependency, StoreError

Plain: TypeAlias = str | int | float | bool | None
"""What a settings file and a record can hold beside arrays."""

Record: TypeAlias = Mapping[str, np.ndarray | Plain]
"""Arrays and plain values by name."""

FORMAT = 2
HEADER = "shard"
RECORDS = "records"
COLUMNS = "columns"
CHUNK_BYTES = 1 << 18
"""What is read at once; HDF5 keeps a checksum of each chunk."""

Reader: TypeAlias = Callable[[int, tuple[str, ...] | None], dict[str, Any]]
"""Number of a record, and the wanted arrays (none: all; None: plain values alone) -> the record."""

UNREADABLE = (OSError, RuntimeError, LookupError, ValueError, TypeError)
"""What h5py and JSON raise for bytes that they can't make sense of; an OSError with an errno is the system's."""


class Header(NamedTuple):
    """What a shard says of itself."""

    format: int
    fingerprint: str
    keys: list[str]


def write_shard(path: Path, fingerprint: str, records: Mapping[str, Record]) -> None:
    """Write a file. Raises OSError where there is no room for it."""
    columns = _Columns()
    places = [_place(record, columns) for record in records.values()]
    # made in memory: an HDF5 file that can't be closed, for want of room, crashes Python when that ends;
    # "latest" puts HDF5's own structures under checksums too
    with h5py().File(path, "w", driver="core", backing_store=False, libver="latest") as file:
        header = {"format": FORMAT, "fingerprint": fingerprint, "keys": list(records)}
        write_array(file, HEADER, _to_bytes(header))
        write_array(file, RECORDS, _to_bytes(places))
        group = file.create_group(COLUMNS)
        for number, column in enumerate(columns.joined()):
            write_array(group, str(number), column)
        file.flush()
        content = file.id.get_file_image()
    path.write_bytes(content)


def write_array(group: Any, name: str, array: np.ndarray) -> None:
    """Write one data set in chunks with checksums."""
    rows = max(1, CHUNK_BYTES * len(array) // max(1, array.nbytes))
    chunks = (min(rows, len(array)), *array.shape[1:])
    checked = {"chunks": chunks, "fletcher32": True} if array.size else {}  # no byte, no checksum
    group.create_dataset(name, data=array, **checked)


def read_header(path: Path) -> Header:
    """Read what a shard holds. Raises one of `UNREADABLE` where that is damaged."""
    with h5py().File(path, "r", locking=False) as file:
        return _header(file)


def check_shard(path: Path) -> Header:
    """Read every byte, so that HDF5 compares its checksums. Raises one of `UNREADABLE` where one is damaged."""
    with h5py().File(path, "r", locking=False) as file:
        header, record = _header(file), _reader(file)
        for column in file[COLUMNS].values() if COLUMNS in file else ():
            column[()]
        for number in range(len(header.keys)):
            record(number, None if COLUMNS in file else ())
        return header


def read_record(path: Path, key: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Read one record; `names` are the wanted arrays, none: all. Raises one of `UNREADABLE` for damage."""
    with h5py().File(path, "r", locking=False) as file:
        return _reader(file)(_header(file).keys.index(key), names)


def read_records(path: Path, names: tuple[str, ...] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read all records, as `read_record` does each; None: plain values alone."""
    with h5py().File(path, "r", locking=False) as file:
        record = _reader(file)
        for number, key in enumerate(_header(file).keys):
            yield key, record(number, names)


def h5py() -> Any:
    """The library. Raises MissingDependency where it isn't installed."""
    try:
        import h5py
    except ImportError as error:
        raise MissingDependency(
            "stores are HDF5 files, for which h5py isn't installed; run: python -m pip install h5py"
        ) from error
    return h5py


class _Columns:
    """Arrays of all records, joined: a column for each name, type and width."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str, tuple[int, ...]], list[np.ndarray]] = {}

    def add(self, name: str, array: np.ndarray) -> tuple[int, int, int]:
        """Number of the column, and between which of its rows the array is."""
        column = (name, array.dtype.str, array.shape[1:])
        parts = self._parts.setdefault(column, [])
        begin = sum(map(len, parts))
        parts.append(array)
        return list(self._parts).index(column), begin, begin + len(array)

    def joined(self) -> list[np.ndarray]:
        """All columns, by their numbers."""
        return [np.concatenate(parts) for parts in self._parts.values()]


def _place(record: Record, columns: _Columns) -> dict[str, Any]:
    arrays = {
        name: columns.add(name, value) for name, value in record.items() if isinstance(value, np.ndarray)
    }
    return {"arrays": arrays, "values": {name: record[name] for name in record if name not in arrays}}


def _header(file: Any) -> Header:
    found = _from_bytes(file[HEADER])
    if found["format"] not in READERS:
        raise StoreError(
            f"{file.filename} has format {found['format']}, not {FORMAT}: another version of tiepoint wrote it; "
            "name a new folder"
        )
    return Header(found["format"], found["fingerprint"], found["keys"])


def _reader(file: Any) -> Reader:
    return READERS[_header(file).format](file)


def _read_columns(file: Any) -> Reader:
    places = _from_bytes(file[RECORDS])
    return lambda number, names: _gather(file[COLUMNS], places[number], names)


def _gather(columns: Any, place: dict[str, Any], names: tuple[str, ...] | None) -> dict[str, Any]:
    arrays = {
        name: columns[str(column)][begin:end]
        for name, (column, begin, end) in place["arrays"].items()
        if _is_wanted(name, names)
    }
    return {**arrays, **place["values"]}


def _read_groups(file: Any) -> Reader:
    """Format 1: each record was a group, with its arrays as data sets, and "values"."""
    return lambda number, names: (
        {
            name.removeprefix("array "): array[()]
            for name, array in file[str(number)].items()
            if name != "values" and _is_wanted(name.removeprefix("array "), names)
        }
        | _from_bytes(file[str(number)]["values"])
    )


def _is_wanted(name: str, names: tuple[str, ...] | None) -> bool:
    return names is not None and (not names or name in names)


READERS: dict[int, Callable[[Any], Reader]] = {1: _read_groups, FORMAT: _read_columns}
"""Format -> what reads records of such a file."""


def _to_bytes(value: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def _from_bytes(dataset: Any) -> Any:
    return json.loads(dataset[()].tobytes())
