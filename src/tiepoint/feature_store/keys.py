"""Keys of records: how they are made, and sets of millions of them in sixteen bytes each."""

import hashlib
from collections.abc import Iterable

import numpy as np

DIGEST = np.dtype("V16")
"""128 bits of BLAKE2b: two of 10 million keys share a digest with a probability of 1e-25."""


def pair_key(images: tuple[str, str]) -> str:
    """The key of a pair's matches, from the keys of its images."""
    return " | ".join(images)


def digests(keys: Iterable[str]) -> np.ndarray:
    """(n,) of `DIGEST`, in the given order; any string is a key, lone surrogates of odd file names too."""
    found = bytearray()  # a list of ten million bytes objects would take five times as much
    for key in keys:
        found += _digest(key)
    return np.frombuffer(found, DIGEST)


def sort_distinct(values: np.ndarray) -> np.ndarray:
    """Each of the values once, in rising order; sorts them where they are, and copies only where some come twice."""
    values.sort()
    first = np.ones(len(values), bool)
    first[1:] = values[1:] != values[:-1]
    return values if first.all() else values[first]


class KeySet:
    """A set of strings of which only digests are kept, sorted.

    Args:
        keys: any number of them; more than once is once.
    """

    __slots__ = ("_sorted",)

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._sorted = sort_distinct(digests(keys))

    @classmethod
    def of_digests(cls, values: np.ndarray) -> "KeySet":
        """A set of what `digests` gave, in any order."""
        made = cls()
        made._sorted = sort_distinct(values.copy())
        return made

    def __len__(self) -> int:
        return len(self._sorted)

    def __or__(self, other: "KeySet") -> "KeySet":
        return KeySet.of_digests(np.concatenate([self._sorted, other._sorted]))

    def __contains__(self, key: str) -> bool:
        return bool(self.holds([key])[0])

    def holds(self, keys: Iterable[str]) -> np.ndarray:
        """(n,) bool: which of the keys are in the set."""
        asked = digests(keys)
        if len(self) == 0:
            return np.zeros(len(asked), bool)
        places = np.searchsorted(self._sorted, asked).clip(max=len(self) - 1)
        return self._sorted[places] == asked


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=DIGEST.itemsize).digest()
