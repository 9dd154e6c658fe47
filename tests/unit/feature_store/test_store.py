"""The store: records are restored, damaged shards quarantined, other settings refused."""

import errno
import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from tiepoint.errors import InvalidInput, MissingDependency, StoreError
from tiepoint.feature_store import Store, differences

SETTINGS = {"name": "a preset", "resize": 1024, "threshold": 0.1, "adaptive": False, "limit": None}


def record(value: float, count: int = 3) -> dict:
    """Arrays of all dtypes in use, and scalars of every type."""
    return {
        "keypoints": np.full((count, 2), value, np.float32),
        "descriptors": np.full((count, 4), value, np.float16),
        "matches": np.full((count, 2), int(value), np.int32),
        "nothing": np.zeros((0, 7), np.float32),
        "seconds": value,
        "width": 640,
        "source": "a/b.jpg",
        "mark": None,
        "whole": True,
    }


def assert_same(found: dict, expected: dict) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        if isinstance(value, np.ndarray):
            assert found[name].dtype == value.dtype
            np.testing.assert_array_equal(found[name], value)
        else:
            assert found[name] == value
            assert type(found[name]) is type(value)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "new" / "store", SETTINGS)


def test_records_are_restored(store: Store):
    records = {"a": record(1.5), "b": record(-2.0, count=0)}
    path = store.write("features", records)
    assert path.parent == store.folder / "features"
    for opened in (store, Store(store.folder, SETTINGS)):
        assert opened.keys("features") == {"a", "b"}
        for key, expected in records.items():
            assert_same(opened.read("features", key), expected)


@pytest.mark.parametrize(
    "key",
    [
        "a/b/c.jpg",
        "/",
        ".",
        "",
        " two  words ",
        "ü-é-日本",
        "line\nbreak",
        "nul\0",
        "lone \udcff",
        "x" * 70_000,
    ],
    ids=["slash", "root", "dot", "empty", "spaces", "letters", "newline", "nul", "surrogate", "long"],
)
def test_a_key_may_be_any_string(store: Store, key: str):
    store.write("features", {key: record(1.0), f"{key}2": record(2.0)})
    again = Store(store.folder, SETTINGS)
    assert again.keys("features") == {key, f"{key}2"}
    assert again.read("features", key)["seconds"] == 1.0


def test_only_requested_arrays_are_read(store: Store):
    store.write("features", {"a": record(1.0)})
    found = store.read("features", "a", "keypoints", "absent")
    assert {name for name, value in found.items() if isinstance(value, np.ndarray)} == {"keypoints"}
    assert found["width"] == 640


def test_kinds_are_separate(store: Store):
    store.write("features", {"a": record(1.0)})
    store.write("matches", {"b": record(2.0)})
    assert store.keys("features") == {"a"}
    assert store.keys("matches") == {"b"}
    assert store.keys("never heard of") == set()


def test_resuming_is_set_difference(store: Store):
    store.write("features", {"b": record(1.0)})
    assert store.missing("features", ["c", "b", "a", "c"]) == ["c", "a"]


def test_shards_of_other_processes_are_read(store: Store):
    assert store.keys("features") == set()
    Store(store.folder, SETTINGS).write("features", {"a": record(1.0)})
    assert store.missing("features", ["a"]) == []
    assert store.read("features", "a")["seconds"] == 1.0


def test_the_same_keys_have_the_same_shard(store: Store):
    first = store.write("features", {"a": record(1.0), "b": record(1.0)})
    assert store.write("features", {"b": record(2.0), "a": record(2.0)}) == first
    assert store.read("features", "a")["seconds"] == 2.0
    assert store.write("features", {"a": record(1.0)}) != first


def test_other_settings_are_refused_with_the_difference(store: Store):
    asked = {**SETTINGS, "resize": 640, "limit": 5, "new": "x"}
    with pytest.raises(StoreError, match="other settings") as caught:
        Store(store.folder, asked)
    text = str(caught.value)
    assert "resize 1024, not 640" in text
    assert "limit None, not 5" in text
    assert "new None, not 'x'" in text
    assert "threshold" not in text
    assert "\n" not in text


def test_the_order_of_settings_does_not_matter(store: Store):
    assert Store(store.folder, dict(reversed(SETTINGS.items()))).fingerprint == store.fingerprint
    assert differences(SETTINGS, dict(reversed(SETTINGS.items()))) == ""


def test_a_shard_from_another_store_is_refused(store: Store, tmp_path: Path):
    other = Store(tmp_path / "other", {**SETTINGS, "resize": 640})
    path = other.write("features", {"a": record(1.0)})
    (store.folder / "features").mkdir()
    path.rename(store.folder / "features" / path.name)
    with pytest.raises(StoreError, match=path.name):
        store.keys("features")


def test_a_folder_of_something_else_is_refused(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError, match=r"thesis\.tex"):
        Store(tmp_path, SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="file"):
        Store(tmp_path / "file", SETTINGS)


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"format": 1}', '{"format": 1, "settings": 5}'])
def test_damaged_settings_are_refused(store: Store, text: str):
    (store.folder / "settings.json").write_text(text)
    with pytest.raises(StoreError, match=r"settings\.json is damaged"):
        Store(store.folder, SETTINGS)


def test_a_later_format_is_refused(store: Store):
    path = store.folder / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(StoreError, match="format 2"):
        Store(store.folder, SETTINGS)


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "cut off":
        path.write_bytes(content[: len(content) // 2])
    elif how == "emptied":
        path.write_bytes(b"")
    elif how == "not HDF5":
        path.write_bytes(b"<html>" * 100)
    else:
        found = content.index(np.full(4, 1.5, np.float16).tobytes())
        path.write_bytes(content[:found] + bytes([content[found] ^ 1]) + content[found + 1 :])


@pytest.mark.parametrize("how", ["cut off", "emptied", "not HDF5", "one bit"])
def test_a_damaged_shard_is_reported_and_its_keys_are_missing(
    store: Store, caplog: pytest.LogCaptureFixture, how: str
):
    store.write("features", {"whole": record(0.5)})
    path = store.write("features", {"a": record(1.5), "b": record(1.5)})
    damage(path, how)
    again = Store(store.folder, SETTINGS)
    with caplog.at_level(logging.WARNING):
        assert again.missing("features", ["a", "whole", "b"]) == ["a", "b"]
    assert path.name in caplog.text
    assert not path.exists()
    again.write("features", {"a": record(1.5), "b": record(1.5)})
    assert_same(Store(store.folder, SETTINGS).read("features", "b"), record(1.5))


def test_an_intact_shard_can_be_quarantined(store: Store):
    kept = store.write("features", {"a": record(1.0)})
    stale = store.write("features", {"b": record(2.0), "c": record(3.0)})
    assert sorted(store.shards("features")) == sorted([kept.name, stale.name])
    assert set(store.records("features", stale.name)) == {"b", "c"}
    assert not store.has_quarantined("features")
    store.quarantine("features", stale.name)
    for opened in (store, Store(store.folder, SETTINGS)):
        assert opened.missing("features", ["a", "b", "c"]) == ["b", "c"]
        assert opened.has_quarantined("features")
    assert not list(store.folder.rglob("*.damaged"))
    store.write("features", {"b": record(4.0), "c": record(4.0)})
    assert store.read("features", "c")["seconds"] == 4.0


def test_a_damaged_shard_leaves_a_quarantined_file(store: Store):
    damage(store.write("features", {"a": record(1.5)}), "cut off")
    again = Store(store.folder, SETTINGS)
    assert again.keys("features") == set()
    assert again.has_quarantined("features")


def test_damage_after_opening_names_the_file(store: Store):
    path = store.write("features", {"a": record(1.5)})
    damage(path, "one bit")
    with pytest.raises(StoreError, match=path.name):
        store.read("features", "a")


def test_a_missing_record(store: Store):
    with pytest.raises(StoreError, match=r"no features of 'a\.jpg'"):
        store.read("features", "a.jpg")


def test_temporary_files_are_not_shards(store: Store):
    store.write("features", {"a": record(1.0)})
    (store.folder / "features" / ".tiepoint-0123456789abcdef.h5").write_bytes(b"half")
    assert Store(store.folder, SETTINGS).keys("features") == {"a"}


def test_a_failed_write_leaves_no_files(store: Store, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tiepoint.feature_store.hdf5_shard.write_array", fail)
    with pytest.raises(KeyboardInterrupt):
        store.write("features", {"a": record(1.0)})
    assert list((store.folder / "features").iterdir()) == []


def test_h5py_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependency, match="h5py"):
        Store(tmp_path, SETTINGS)


def test_a_full_disk_leaves_no_files(store: Store, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(InvalidInput, match="No space left"):
        store.write("features", {"a": record(1.0)})
    assert list((store.folder / "features").iterdir()) == []
    assert store.keys("features") == set()
