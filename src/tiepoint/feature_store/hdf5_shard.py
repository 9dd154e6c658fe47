"""One shard: a batch of records in an HDF5 file; arrays of the same name share a column, all bytes have checksums.

shard        JSON: format, fingerprint of the settings, keys
records      JSON: per record its scalars and the slices of its arrays: name -> (column, begin, end)
columns/0    arrays of all records, concatenated along the first axis
"""

import json
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tiepoint.errors import StoreError
from tiepoint.io.optional import import_optional

JSONScalar: TypeAlias = str | int | float | bool | None
"""Value of a setting, or of a record next to its arrays."""

Record: TypeAlias = Mapping[str, np.ndarray | JSONScalar]
"""Arrays and scalars by name."""

FORMAT = 2
HEADER = "shard"
RECORDS = "records"
COLUMNS = "columns"
CHUNK_BYTES = 1 << 18
# HDF5 keeps one checksum per chunk

Reader: TypeAlias = Callable[[int, tuple[str, ...] | None], dict[str, Any]]
# (index of a record, names of arrays; empty: all arrays, None: scalars only) -> record

UNREADABLE = (OSError, RuntimeError, LookupError, ValueError, TypeError)
# Errors that h5py and JSON raise for damaged data; an OSError with an errno comes from the operating system


class Header(NamedTuple):
    """Format, settings and keys of a shard."""

    format: int
    fingerprint: str
    keys: list[str]


def write_shard(path: Path, fingerprint: str, records: Mapping[str, Record]) -> None:
    """Write a shard.

    Raises:
        OSError: If the disk is full.
    """
    columns = _Columns()
    layouts = [_add_record(record, columns) for record in records.values()]
    # Built in memory: an HDF5 file that cannot be closed because the disk is full crashes Python at exit.
    # libver="latest" adds checksums to HDF5's own structures. Not with the core driver's file image: before HDF5 2.0
    # its superblock has a wrong checksum.
    content = BytesIO()
    with h5py().File(content, "w", libver="latest") as file:
        header = {"format": FORMAT, "fingerprint": fingerprint, "keys": list(records)}
        write_array(file, HEADER, _to_bytes(header))
        write_array(file, RECORDS, _to_bytes(layouts))
        group = file.create_group(COLUMNS)
        for index, column in enumerate(columns.concatenated()):
            write_array(group, str(index), column)
    path.write_bytes(content.getbuffer())


def write_array(group: Any, name: str, array: np.ndarray) -> None:
    """Write one HDF5 data set in chunks with checksums."""
    rows = max(1, CHUNK_BYTES * len(array) // max(1, array.nbytes))
    chunks = (min(rows, len(array)), *array.shape[1:])
    checked = {"chunks": chunks, "fletcher32": True} if array.size else {}  # HDF5 cannot chunk an empty array
    group.create_dataset(name, data=array, **checked)


def read_header(path: Path) -> Header:
    """Read the header of a shard; raises one of `UNREADABLE` if it is damaged."""
    with h5py().File(path, "r", locking=False) as file:
        return _header(file)


def check_shard(path: Path) -> Header:
    """Read every byte, so that HDF5 verifies its checksums; raises one of `UNREADABLE` if one is damaged."""
    with h5py().File(path, "r", locking=False) as file:
        header, record = _header(file), _reader(file)
        for column in file[COLUMNS].values() if COLUMNS in file else ():
            column[()]
        for index in range(len(header.keys)):
            record(index, None if COLUMNS in file else ())
        return header


def read_record(path: Path, key: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Read one record; raises one of `UNREADABLE` if it is damaged.

    Args:
        path: Path of the shard.
        key: Key of the record.
        names: Names of the arrays to read; empty: all.
    """
    with h5py().File(path, "r", locking=False) as file:
        return _reader(file)(_header(file).keys.index(key), names)


def read_records(path: Path, names: tuple[str, ...] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield key and record of all records; raises one of `UNREADABLE` if one is damaged.

    Args:
        path: Path of the shard.
        names: Names of the arrays to read; empty: all, None: scalars only.
    """
    with h5py().File(path, "r", locking=False) as file:
        record = _reader(file)
        for index, key in enumerate(_header(file).keys):
            yield key, record(index, names)


def h5py() -> Any:
    """Import h5py; call it early, before work whose result could not be stored.

    Raises:
        MissingDependency: If h5py is not installed.
    """
    return import_optional("h5py", purpose="the feature store (HDF5)", install="h5py")


class _Columns:
    """Arrays of all records: one column for each combination of name, dtype and trailing shape."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str, tuple[int, ...]], list[np.ndarray]] = {}

    def add(self, name: str, array: np.ndarray) -> tuple[int, int, int]:
        """Append an array; return the index of its column and its first and last (exclusive) row there."""
        column = (name, array.dtype.str, array.shape[1:])
        parts = self._parts.setdefault(column, [])
        begin = sum(map(len, parts))
        parts.append(array)
        return list(self._parts).index(column), begin, begin + len(array)

    def concatenated(self) -> list[np.ndarray]:
        """Return all columns in order of their indices."""
        return [np.concatenate(parts) for parts in self._parts.values()]


def _add_record(record: Record, columns: _Columns) -> dict[str, Any]:
    """Append the arrays of a record to the columns; return its layout."""
    arrays = {
        name: columns.add(name, value) for name, value in record.items() if isinstance(value, np.ndarray)
    }
    return {"arrays": arrays, "values": {name: record[name] for name in record if name not in arrays}}


def _header(file: Any) -> Header:
    found = _from_bytes(file[HEADER])
    if found["format"] not in READERS:
        raise StoreError(
            f"{file.filename} has format {found['format']}, expected {FORMAT}: it was written by another version of "
            "tiepoint; use a new folder"
        )
    return Header(found["format"], found["fingerprint"], found["keys"])


def _reader(file: Any) -> Reader:
    return READERS[_header(file).format](file)


def _read_columns(file: Any) -> Reader:
    layouts = _from_bytes(file[RECORDS])
    return lambda index, names: _slice_columns(file[COLUMNS], layouts[index], names)


def _slice_columns(columns: Any, layout: dict[str, Any], names: tuple[str, ...] | None) -> dict[str, Any]:
    arrays = {
        name: columns[str(column)][begin:end]
        for name, (column, begin, end) in layout["arrays"].items()
        if _is_wanted(name, names)
    }
    return {**arrays, **layout["values"]}


def _read_groups(file: Any) -> Reader:
    """Format 1: one group per record, with its arrays as data sets, and "values"."""
    return lambda index, names: (
        {
            name.removeprefix("array "): array[()]
            for name, array in file[str(index)].items()
            if name != "values" and _is_wanted(name.removeprefix("array "), names)
        }
        | _from_bytes(file[str(index)]["values"])
    )


def _is_wanted(name: str, names: tuple[str, ...] | None) -> bool:
    return names is not None and (not names or name in names)


READERS: dict[int, Callable[[Any], Reader]] = {1: _read_groups, FORMAT: _read_columns}
# Format of a shard -> function that opens its records


def _to_bytes(value: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def _from_bytes(dataset: Any) -> Any:
    return json.loads(dataset[()].tobytes())
