"""A store on object storage: one object per shard, read through an LRU cache."""

import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest

from tiepoint.errors import InvalidInput, MissingDependency, StoreError
from tiepoint.feature_store import Store
from tiepoint.feature_store.storage import HEAD_BYTES, LocalStorage, RemoteStorage, open_storage

SETTINGS = {"resize": 1024}
RECORDS = {"a": {"points": np.arange(6, dtype=np.float32).reshape(3, 2), "n": 3}, "b/ü": {"n": 0}}


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    return f"memory://{request.node.name}"


def test_records_are_restored(url: str):
    Store(url, SETTINGS).write("features", RECORDS)
    for check in ("bytes", "headers"):
        store = Store(url, SETTINGS, check=check)  # type: ignore[arg-type]
        assert store.keys("features") == {"a", "b/ü"}
        np.testing.assert_array_equal(store.read("features", "a")["points"], RECORDS["a"]["points"])
        assert store.missing("features", ["a", "c"]) == ["c"]


def test_a_shard_is_one_object_without_leftovers(url: str):
    Store(url, SETTINGS).write("features", RECORDS)
    found = fsspec.filesystem("memory").find(url)
    assert [Path(path).suffix for path in sorted(found)] == [".h5", ".json"]


def test_shards_of_other_writers_are_read(url: str):
    store = Store(url, SETTINGS)
    assert store.keys("features") == set()
    Store(url, SETTINGS).write("features", RECORDS)
    assert store.missing("features", ["a"]) == []


def test_a_shard_known_by_name_needs_no_index(url: str):
    shard = Store(url, SETTINGS).write("features", RECORDS).name
    store = Store(url, SETTINGS)
    assert store.read("features", "a", shard=shard)["n"] == 3
    assert store.has("features", "a")
    assert not store.has("features", "c")


def test_a_damaged_object_is_quarantined(url: str):
    files = fsspec.filesystem("memory")
    shard = Store(url, SETTINGS).write("features", RECORDS).name
    path = f"{url}/features/{shard}"
    files.pipe_file(path, files.cat_file(path)[:-20])
    store = Store(url, SETTINGS)
    assert store.missing("features", RECORDS) == list(RECORDS)
    assert store.warnings[0].startswith(path)
    assert not files.exists(path)
    store.write("features", RECORDS)
    assert Store(url, SETTINGS).read("features", "a")["n"] == 3


def test_other_settings_are_refused(url: str):
    Store(url, SETTINGS)
    with pytest.raises(StoreError, match="resize 1024, not 640"):
        Store(url, {"resize": 640})


def test_a_folder_with_other_files_is_refused_on_object_storage(url: str):
    fsspec.filesystem("memory").pipe_file(f"{url}/thesis.tex", b"years of work")
    with pytest.raises(StoreError, match=r"thesis\.tex"):
        Store(url, SETTINGS)


def test_the_cache_is_bounded(url: str):
    store = Store(url, SETTINGS)
    shards = [store.write("features", {str(number): {"n": number}}).name for number in range(5)]
    files = fsspec.filesystem("memory")
    size = files.size(f"{url}/features/{shards[0]}")
    storage = RemoteStorage(files, url, url, cache_bytes=2 * size + 10)
    paths = [storage.fetch("features", shard) for shard in shards]
    assert [path.exists() for path in paths] == [False, False, False, True, True]
    assert storage.fetch("features", shards[3]) == paths[3]
    storage.fetch("features", shards[0])
    assert [path.exists() for path in paths] == [True, False, False, True, False]


@pytest.fixture
def large(url: str) -> tuple[str, dict[str, dict]]:
    """A store with one shard that is much larger than its header."""
    random = np.random.default_rng(0)
    records = {f"{n}": {"x": random.random(100_000, np.float32), "n": n} for n in range(8)}
    Store(url, SETTINGS).write("features", records)
    return url, records


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of bytes of every request for the content of an object."""
    files, sizes = fsspec.filesystem("memory"), []
    get_file, cat_file = files.get_file, files.cat_file

    def counted_get(path: str, local: str, **options: object) -> None:
        get_file(path, local, **options)
        sizes.append(files.size(path))

    def counted_cat(path: str, **options: object) -> bytes:
        found = cat_file(path, **options)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(files, "get_file", counted_get)
    monkeypatch.setattr(files, "cat_file", counted_cat)
    return sizes


def test_keys_and_scalars_need_only_the_head_of_a_shard(
    large: tuple[str, dict[str, dict]], fetched: list[int]
):
    url, records = large
    store = Store(url, SETTINGS, check="headers")
    fetched.clear()
    for _ in range(2):
        assert store.missing("features", [*records, "other"]) == ["other"]
        assert {key: record["n"] for key, record in store.scan("features")} == {f"{n}": n for n in range(8)}
    assert fetched == [HEAD_BYTES]


def test_fetched_shards_are_cached(large: tuple[str, dict[str, dict]], fetched: list[int]):
    url, records = large
    store = Store(url, SETTINGS, check="headers")
    shard = store.shard("features", "3")
    fetched.clear()
    for key, record in records.items():
        np.testing.assert_array_equal(store.read("features", key, shard=shard)["x"], record["x"])
    assert len(list(store.scan("features", "x"))) == len(list(store.scan("features"))) == 8
    assert len(fetched) == 1


def test_a_small_shard_is_fetched_completely_and_once(url: str, fetched: list[int]):
    Store(url, SETTINGS).write("features", RECORDS)
    store = Store(url, SETTINGS, check="headers")
    fetched.clear()
    assert store.keys("features") == set(RECORDS)
    assert store.read("features", "a")["n"] == 3
    assert len(fetched) == 1


def test_a_shard_with_a_large_header(url: str, fetched: list[int]):
    records = {f"{n}" * 40_000: {"n": n, "x": np.zeros(9)} for n in range(8)}
    Store(url, SETTINGS).write("features", records)
    store = Store(url, SETTINGS, check="headers")
    assert store.keys("features") == set(records)
    assert {key: record["n"] for key, record in store.scan("features")} == {
        key: record["n"] for key, record in records.items()
    }
    assert store.warnings == []


def test_a_damaged_header_is_quarantined(large: tuple[str, dict[str, dict]]):
    url, records = large
    files = fsspec.filesystem("memory")
    (path,) = files.glob(f"{url}/features/*.h5")
    content = bytearray(files.cat_file(path))
    content[content.index(b'"keys"')] ^= 1
    files.pipe_file(path, bytes(content))
    store = Store(url, SETTINGS, check="headers")
    assert store.missing("features", records) == list(records)
    assert len(store.warnings) == 1
    store.write("features", records)
    assert store.keys("features") == set(records)


def test_a_rewritten_shard_is_not_read_from_the_cache(
    large: tuple[str, dict[str, dict]],
):
    url, records = large
    store = Store(url, SETTINGS, check="headers")
    assert len(store.keys("features")) == 8
    store.write("features", {key: record | {"n": -1} for key, record in records.items()})
    assert {record["n"] for _, record in store.scan("features")} == {-1}


def test_an_intact_shard_can_be_quarantined(url: str):
    shard = Store(url, SETTINGS).write("features", RECORDS).name
    store = Store(url, SETTINGS)
    assert store.shards("features") == [shard]
    assert not store.has_quarantined("features")
    store.quarantine("features", shard)
    assert store.missing("features", RECORDS) == list(RECORDS)
    assert store.warnings == []
    again = Store(url, SETTINGS)
    assert again.shards("features") == []
    assert again.has_quarantined("features")
    assert not again.has_quarantined("matches")


def test_a_missing_object_is_named(url: str):
    store = Store(url, SETTINGS)
    with pytest.raises(StoreError, match=r"gone\.h5"):
        store.read("features", "a", shard="gone.h5")


def test_an_unavailable_object_is_not_quarantined(url: str, monkeypatch: pytest.MonkeyPatch):
    Store(url, SETTINGS).write("features", {"a": {"x": np.arange(3)}})
    store = Store(url, SETTINGS)

    def time_out(*_: object) -> None:
        raise OSError("timed out")

    with monkeypatch.context() as patch:
        patch.setattr(store.storage._filesystem, "get_file", time_out)  # type: ignore[attr-defined]
        with pytest.raises(StoreError, match="timed out"):
            store.keys("features")
    assert Store(url, SETTINGS).keys("features") == {"a"}


def test_server_errors_are_one_line(url: str, monkeypatch: pytest.MonkeyPatch):
    store = Store(url, SETTINGS)

    def refuse(*_: object) -> None:
        raise RuntimeError("503 slow down\nand more")

    monkeypatch.setattr(store.storage._filesystem, "put_file", refuse)  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match="503 slow down") as caught:
        store.write("features", RECORDS)
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert Store(url, SETTINGS).keys("features") == set()


def test_file_urls_are_folders(tmp_path: Path):
    storage = open_storage(f"file://{tmp_path}/store")
    assert isinstance(storage, LocalStorage)
    Store(f"file://{tmp_path}/store", SETTINGS).write("features", RECORDS)
    assert Store(tmp_path / "store", SETTINGS).keys("features") == set(RECORDS)


def test_an_unknown_url_scheme_is_refused():
    with pytest.raises(InvalidInput, match="nonsense://"):
        open_storage("nonsense://bucket/folder")


def test_fsspec_is_optional(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingDependency, match="fsspec"):
        open_storage("s3://bucket/folder")
