"""Any record under any key is restored; flipped bits are always detected."""

import tempfile

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tiepoint.feature_store import Store

KEYS = st.text(st.characters(exclude_categories=()), max_size=30)
ARRAYS = st.sampled_from([np.float32, np.float16, np.int32, np.uint8]).flatmap(
    lambda dtype: arrays(dtype, array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=6))
)
VALUES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | KEYS
NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=12)
RECORDS = st.dictionaries(KEYS, st.dictionaries(NAMES, ARRAYS | VALUES, max_size=5), min_size=1, max_size=4)


@settings(max_examples=50)
@given(RECORDS)
@pytest.mark.slow
def test_round_trip(records: dict[str, dict]):
    with tempfile.TemporaryDirectory() as folder:
        Store(folder, {}).write("things", records)
        store = Store(folder, {})
        assert store.keys("things") == set(records)
        for key, expected in records.items():
            found = store.read("things", key)
            assert set(found) == set(expected)
            for name, value in expected.items():
                assert type(found[name]) is type(value)
                np.testing.assert_array_equal(found[name], value)
                assert getattr(found[name], "dtype", None) == getattr(value, "dtype", None)


@pytest.mark.slow
@settings(max_examples=50)
@given(st.data())
def test_a_flipped_bit_is_always_detected(data: st.DataObject):
    array = np.arange(200, dtype=np.float32).reshape(100, 2)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("tiepoint.feature_store.store.logger.warning", lambda *_: None)
        path = Store(folder, {}).write("things", {"a": {"array": array, "number": 5}})
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        store = Store(folder, {})
        if store.keys("things"):  # the bit lay in room that HDF5 doesn't use
            found = store.read("things", "a")
            np.testing.assert_array_equal(found["array"], array)
            assert found["number"] == 5
