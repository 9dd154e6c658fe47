"""One shard: round trips, partial reads, checksums of every byte, other formats."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tiepoint.errors import StoreError
from tiepoint.feature_store import hdf5_shard
from tiepoint.feature_store.hdf5_shard import (
    UNREADABLE,
    check_shard,
    read_header,
    read_record,
    read_records,
    write_shard,
)

RECORDS = {
    "a": {"points": np.arange(6.0).reshape(3, 2), "count": 3, "name": "ä", "share": 0.5, "none": None},
    "b": {"points": np.zeros((0, 2)), "scores": np.ones(4, np.float16), "flag": True},
    "c": {},
}


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    write_shard(tmp_path / "shard.h5", "settings", RECORDS)
    return tmp_path / "shard.h5"


def assert_equal(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)


def test_the_header(shard: Path):
    assert read_header(shard) == (hdf5_shard.FORMAT, "settings", ["a", "b", "c"])


@pytest.mark.parametrize("key", RECORDS)
def test_a_record_is_read_as_written(shard: Path, key: str):
    found = read_record(shard, key, ())
    assert_equal(found, RECORDS[key])
    assert [value.dtype for value in found.values() if isinstance(value, np.ndarray)] == [
        value.dtype for value in RECORDS[key].values() if isinstance(value, np.ndarray)
    ]


def test_all_records_in_order(shard: Path):
    found = dict(read_records(shard, ()))
    assert [*found] == [*RECORDS]
    for key, record in RECORDS.items():
        assert_equal(found[key], record)


def test_only_some_arrays(shard: Path):
    assert_equal(read_record(shard, "b", ("scores",)), {"scores": np.ones(4), "flag": True})


def test_scalars_only(shard: Path):
    assert [record for _, record in read_records(shard, None)] == [
        {"count": 3, "name": "ä", "share": 0.5, "none": None},
        {"flag": True},
        {},
    ]


def test_an_unknown_key(shard: Path):
    with pytest.raises(UNREADABLE, match="d"):
        read_record(shard, "d", ())


def test_the_same_records_have_the_same_bytes(shard: Path, tmp_path: Path):
    write_shard(tmp_path / "again.h5", "settings", RECORDS)
    assert (tmp_path / "again.h5").read_bytes() == shard.read_bytes()


def test_an_intact_shard_passes_the_check(shard: Path):
    assert check_shard(shard).keys == ["a", "b", "c"]


@pytest.mark.parametrize("position", [0.0, 0.3, 0.6, 0.9])
def test_a_truncated_shard_fails_the_check(shard: Path, position: float):
    content = shard.read_bytes()
    shard.write_bytes(content[: int(position * len(content))])
    with pytest.raises(UNREADABLE):
        check_shard(shard)


def test_changed_data_fails_the_check(tmp_path: Path):
    path = tmp_path / "shard.h5"
    values = np.arange(1000.0)
    write_shard(path, "settings", {"a": {"values": values}})
    content = bytearray(path.read_bytes())
    content[content.index(values[500:510].tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(UNREADABLE):
        check_shard(path)


def test_a_later_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hdf5_shard, "FORMAT", 99)
    write_shard(tmp_path / "later.h5", "settings", RECORDS)
    monkeypatch.undo()
    with pytest.raises(StoreError, match="format 99"):
        read_record(tmp_path / "later.h5", "a", ())


def test_arrays_of_equal_name_dtype_and_width_share_a_column(shard: Path):
    with h5py.File(shard) as file:
        assert sorted(column.shape for column in file["columns"].values()) == [(3, 2), (4,)]


def test_all_data_sets_have_checksums(shard: Path):
    with h5py.File(shard) as file:
        assert all(
            column.fletcher32 for column in (*file["columns"].values(), file["shard"], file["records"])
        )


def test_shards_of_format_1_are_read(tmp_path: Path):
    """One group per record, its arrays as data sets."""

    def encoded(value: object) -> np.ndarray:
        return np.frombuffer(json.dumps(value).encode(), np.uint8)

    with h5py.File(tmp_path / "old.h5", "w") as file:
        file["shard"] = encoded({"format": 1, "fingerprint": "f", "keys": list(RECORDS)})
        for index, record in enumerate(RECORDS.values()):
            group = file.create_group(str(index))
            arrays = {name: value for name, value in record.items() if isinstance(value, np.ndarray)}
            group["values"] = encoded({name: record[name] for name in record if name not in arrays})
            for name, value in arrays.items():
                group[f"array {name}"] = value
    assert check_shard(tmp_path / "old.h5").format == 1
    for key, expected in RECORDS.items():
        assert_equal(read_record(tmp_path / "old.h5", key, ()), expected)
