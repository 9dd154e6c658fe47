"""Keys to shards: lookups before and after merging, removal, keys in several shards."""

import pytest

from tiepoint.feature_store import key_index
from tiepoint.feature_store.key_index import KeyIndex
from tiepoint.feature_store.keys import KeySet


@pytest.fixture(params=[0, 10_000], ids=["merged", "unsorted"])
def index(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> KeyIndex:
    """Two shards with three keys, of which one is in both."""
    monkeypatch.setattr(key_index, "MAX_UNSORTED", request.param)
    index = KeyIndex()
    index.add("first", ["a", "b"])
    index.add("second", ["b", "c"])
    return index


def test_a_key_belongs_to_the_last_shard_that_has_it(index: KeyIndex):
    assert [index.shard(key) for key in "abc"] == ["first", "second", "second"]


def test_an_unknown_key(index: KeyIndex):
    assert index.shard("d") is None
    assert KeyIndex().shard("a") is None


def test_shards_in_the_order_of_addition(index: KeyIndex):
    assert index.shards() == ["first", "second"]


def test_all_keys(index: KeyIndex):
    keys = index.keys()
    assert [key in keys for key in "abcd"] == [True, True, True, False]
    assert len(keys) == 3


def test_removing_a_shard_removes_its_keys(index: KeyIndex):
    index.remove("second")
    assert [index.shard(key) for key in "abc"] == ["first", None, None]
    assert index.shards() == ["first"]
    index.add("third", ["b"])
    assert index.shard("b") == "third"


def test_removing_an_unknown_shard_changes_nothing(index: KeyIndex):
    index.remove("other")
    assert [index.shard(key) for key in "abc"] == ["first", "second", "second"]


def test_many_keys(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(key_index, "MAX_UNSORTED", 7)
    index = KeyIndex()
    for shard in range(10):
        index.add(f"shard {shard}", [f"{shard}-{key}" for key in range(5)])
    assert all(index.shard(f"{shard}-{key}") == f"shard {shard}" for shard in range(10) for key in range(5))
    assert isinstance(index.keys(), KeySet)
