"""Keys of records, and compact sets of millions of keys (16 bytes per key)."""

import hashlib
from collections.abc import Iterable

import numpy as np

DIGEST = np.dtype("V16")
# 128 bits of BLAKE2b: the probability of a collision among 10 million keys is 1e-25


def pair_key(images: tuple[str, str]) -> str:
    """Return the key of a pair's matches from the keys of its two images."""
    return " | ".join(images)


def digests(keys: Iterable[str]) -> np.ndarray:
    """Return the digests of keys in the given order, shape (n,), dtype `DIGEST`.

    Any string is a valid key, including lone surrogates from undecodable file names.
    """
    found = bytearray()  # a list of ten million bytes objects would take five times the memory
    for key in keys:
        found += _digest(key)
    return np.frombuffer(found, DIGEST)


def sort_distinct(values: np.ndarray) -> np.ndarray:
    """Return the distinct values in ascending order; sorts in place and copies only if there are duplicates."""
    values.sort()
    first = np.ones(len(values), bool)
    first[1:] = values[1:] != values[:-1]
    return values if first.all() else values[first]


class KeySet:
    """Set of strings that stores only their sorted digests.

    Args:
        keys: Keys of the set; duplicates are ignored.
    """

    __slots__ = ("_sorted",)

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._sorted = sort_distinct(digests(keys))

    @classmethod
    def from_digests(cls, values: np.ndarray) -> "KeySet":
        """Build a set from the output of `digests`, in any order."""
        keys = cls()
        keys._sorted = sort_distinct(values.copy())
        return keys

    def __len__(self) -> int:
        return len(self._sorted)

    def __or__(self, other: "KeySet") -> "KeySet":
        return KeySet.from_digests(np.concatenate([self._sorted, other._sorted]))

    def __contains__(self, key: str) -> bool:
        return bool(self.contains([key])[0])

    def contains(self, keys: Iterable[str]) -> np.ndarray:
        """Return which of the keys are in the set, shape (n,), bool."""
        queries = digests(keys)
        if len(self) == 0:
            return np.zeros(len(queries), bool)
        positions = np.searchsorted(self._sorted, queries).clip(max=len(self) - 1)
        return self._sorted[positions] == queries


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=DIGEST.itemsize).digest()
