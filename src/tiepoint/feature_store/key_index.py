"""Index from keys to shards: sorted digests and shard numbers, 20 bytes per key, for millions of keys."""

from collections.abc import Iterable

import numpy as np

from tiepoint.feature_store.keys import DIGEST, KeySet, digests

MAX_UNSORTED = 10_000
# Maximum number of new keys in a dict before they are merged into the sorted arrays


class KeyIndex:
    """Map the keys of one kind of record to names of shards."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._sorted = np.zeros(0, DIGEST)
        self._numbers = np.zeros(0, np.int32)
        self._unsorted: dict[bytes, int] = {}

    def add(self, name: str, keys: Iterable[str]) -> None:
        """Register the keys of a shard; a key in several shards belongs to the last one added."""
        number = len(self._names)
        self._names.append(name)
        self._unsorted.update(dict.fromkeys((digest.tobytes() for digest in digests(keys)), number))
        if len(self._unsorted) > MAX_UNSORTED:
            self._merge()

    def shard(self, key: str) -> str | None:
        """Return the name of the shard that contains a key, or None."""
        (digest,) = digests([key])
        number = self._unsorted.get(digest.tobytes())
        if number is None:
            number = self._find(digest)
        return None if number is None else self._names[number]

    def shards(self) -> list[str]:
        """Return the names of all shards."""
        return list(dict.fromkeys(filter(None, self._names)))

    def remove(self, name: str) -> None:
        """Remove a shard and all its keys; the numbers of the other shards do not change."""
        self._merge()
        removed = [number for number, known in enumerate(self._names) if known == name]
        kept = ~np.isin(self._numbers, removed)
        self._sorted, self._numbers = self._sorted[kept], self._numbers[kept]
        self._names = ["" if known == name else known for known in self._names]

    def keys(self) -> KeySet:
        """Return the set of all keys."""
        self._merge()
        return KeySet.from_digests(self._sorted)

    def _find(self, digest: np.void) -> int | None:
        position = np.searchsorted(self._sorted, digest)
        is_known = position < len(self._sorted) and self._sorted[position] == digest
        return int(self._numbers[position]) if is_known else None

    def _merge(self) -> None:
        """Merge the unsorted keys into the sorted arrays; peak memory is that of both plus the result."""
        if not self._unsorted:
            return
        new, first = np.unique(np.frombuffer(b"".join(self._unsorted), DIGEST), return_index=True)
        numbers = np.fromiter(self._unsorted.values(), np.int32, len(first))[first]
        self._unsorted = {}
        positions = np.searchsorted(self._sorted, new)
        if len(self._sorted):
            is_known = self._sorted[positions.clip(max=len(self._sorted) - 1)] == new
        else:
            is_known = np.zeros(len(new), bool)
        self._numbers[positions[is_known]] = numbers[is_known]
        self._sorted = np.insert(self._sorted, positions[~is_known], new[~is_known])
        self._numbers = np.insert(self._numbers, positions[~is_known], numbers[~is_known])
