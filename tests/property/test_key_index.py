"""The compact index behaves like a dict."""

import pytest
from hypothesis import given, strategies as st

from tiepoint.feature_store import key_index
from tiepoint.feature_store.key_index import KeyIndex

KEYS = st.text(st.characters(exclude_categories=()), max_size=8)
SHARDS = st.sampled_from(["a.h5", "b.h5", "c.h5", "d.h5"])
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "add", "remove"]), SHARDS, st.lists(KEYS, max_size=6)), max_size=12
)


@pytest.mark.slow
@given(STEPS, st.lists(KEYS, max_size=6), st.sampled_from([0, 3, 10_000]))
def test_it_behaves_like_a_dict(steps: list, others: list[str], recent: int):
    found, expected = KeyIndex(), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_index, "MAX_UNSORTED", recent)
        for what, shard, keys in steps:
            if what == "add":
                found.add(shard, keys)
                expected |= dict.fromkeys(keys, shard)
            else:
                found.remove(shard)
                expected = {key: known for key, known in expected.items() if known != shard}
        for key in [*others, *expected]:
            assert found.shard(key) == expected.get(key)
        assert len(found.keys()) == len(expected)
        assert set(found.shards()) >= set(expected.values())
