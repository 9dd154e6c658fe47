"""Where the record of a key is: sorted digests and numbers of shards, twenty bytes a key, for millions of keys."""

from collections.abc import Iterable

import numpy as np

from tiepoint.feature_store.keys import DIGEST, KeySet, digests

RECENT = 10_000
"""So many keys wait in a dict until they are sorted in among the others."""


class Index:
    """Keys of one kind of record -> names of shards."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._sorted = np.zeros(0, DIGEST)
        self._numbers = np.zeros(0, np.int32)
        self._recent: dict[bytes, int] = {}

    def add(self, name: str, keys: Iterable[str]) -> None:
        """Note that a shard holds these keys; the last shard that holds a key is the one that counts."""
        number = len(self._names)
        self._names.append(name)
        self._recent.update(dict.fromkeys((digest.tobytes() for digest in digests(keys)), number))
        if len(self._recent) > RECENT:
            self._merge()

    def shard(self, key: str) -> str | None:
        """The name of the shard that holds this key."""
        (digest,) = digests([key])
        number = self._recent.get(digest.tobytes())
        if number is None:
            number = self._find(digest)
        return None if number is None else self._names[number]

    def shards(self) -> list[str]:
        """The names of all shards."""
        return list(dict.fromkeys(filter(None, self._names)))

    def forget(self, name: str) -> None:
        """Drop all keys of a shard; numbers of the others stay."""
        self._merge()
        gone = [number for number, known in enumerate(self._names) if known == name]
        kept = ~np.isin(self._numbers, gone)
        self._sorted, self._numbers = self._sorted[kept], self._numbers[kept]
        self._names = ["" if known == name else known for known in self._names]

    def keys(self) -> KeySet:
        """All keys, by their digests."""
        self._merge()
        return KeySet.of_digests(self._sorted)

    def _find(self, digest: np.void) -> int | None:
        place = np.searchsorted(self._sorted, digest)
        found = place < len(self._sorted) and self._sorted[place] == digest
        return int(self._numbers[place]) if found else None

    def _merge(self) -> None:
        """Sort the recent keys in among the others; beside both, memory is that of the result."""
        if not self._recent:
            return
        fresh, first = np.unique(np.frombuffer(b"".join(self._recent), DIGEST), return_index=True)
        numbers = np.fromiter(self._recent.values(), np.int32, len(first))[first]
        self._recent = {}
        places = np.searchsorted(self._sorted, fresh)
        known = (
            self._sorted[places.clip(max=len(self._sorted) - 1)] == fresh if len(self._sorted) else places < 0
        )
        self._numbers[places[known]] = numbers[known]
        self._sorted = np.insert(self._sorted, places[~known], fresh[~known])
        self._numbers = np.insert(self._numbers, places[~known], numbers[~known])
