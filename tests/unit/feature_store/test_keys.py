"""Sets of keys."""

import numpy as np

from tiepoint.feature_store.keys import KeySet, digests, pair_key

KEYS = ["a@1", "b@2", "a@1 | b@2", "", "ö", "caf\udce9.jpg", "x" * 10_000]


def test_membership():
    known = KeySet(KEYS[::2])
    assert known.contains(KEYS).tolist() == [True, False, True, False, True, False, True]
    assert "a@1" in known
    assert "b@2" not in known


def test_an_empty_set():
    assert len(KeySet()) == 0
    assert KeySet().contains(KEYS).tolist() == [False] * len(KEYS)
    assert KeySet(KEYS).contains([]).tolist() == []


def test_duplicates_are_ignored():
    assert len(KeySet(KEYS * 2)) == len(KEYS)


def test_union_of_sets():
    joined = KeySet(KEYS[:4]) | KeySet(KEYS[2:])
    assert len(joined) == len(KEYS)
    assert joined.contains(KEYS).all()


def test_from_digests_in_any_order():
    assert KeySet.from_digests(digests(KEYS)[::-1]).contains(KEYS).all()


def test_digests_take_16_bytes_and_keep_their_order():
    found = digests(KEYS)
    assert found.nbytes == 16 * len(KEYS)
    assert np.array_equal(found[::-1], digests(KEYS[::-1]))


def test_the_key_of_a_pair_depends_on_the_order():
    assert pair_key(("a@1", "b@2")) != pair_key(("b@2", "a@1"))
