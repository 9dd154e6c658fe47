"""What records were made of, so that what was made of others than there are now is found, and made again.

Features that are made again, because their shard was damaged, may come out in another order on another device or with
another torch; matches are indices into the former ones then, and a pair's inliers are indices into its matches. So every
record has a digest, and those that were made of others say of which ("made_of"). Records of versions that said
nothing are believed.

Looking through all records takes time, so it is for runs after which there may be something to find: see `Stages`.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from tiepoint.collection.stores import Stores
from tiepoint.feature_store import Store
from tiepoint.feature_store.keys import KeySet

DIGITS = 16
"""Hexadecimal ones, of a digest."""

SHARDS_KEPT = 8
"""Shards of matches whose digests are in memory together; a shard of geometry mostly has the pairs of one of them."""


def keypoints_digest(key: str, keypoints: np.ndarray) -> str:
    """Of a photograph's features: its key, and (n, 2) keypoints, by which matches count."""
    return _digest(key.encode("utf-8", "surrogatepass"), keypoints)


def matches_digest(made_of: str, matches: np.ndarray) -> str:
    """Of a pair's matches: the digests of its features, and (k, 2) matches, by which inliers count."""
    return _digest(made_of.encode(), matches)


def pair_inputs_digest(pair: tuple[str, str], digests: Mapping[str, str]) -> str:
    """What the matches of a pair are made of: the digests of both photographs' features."""
    return " ".join(digests[key] for key in pair)


def stale_matches(stores: Stores) -> Iterator[str]:
    """Shards of matches of other features than there are now; memory grows with the number of photographs."""
    current = KeySet(_features_digests(stores.features))
    for shard in stores.matches.shards("matches"):
        records = stores.matches.records("matches", shard).values()
        named = [digest for record in records for digest in (record.get("made_of") or "").split()]
        if not current.contains(named).all():
            yield shard


def stale_geometry(stores: Stores) -> Iterator[str]:
    """Shards of geometry of other matches than there are now; pairs that aren't matched now don't count."""

    @lru_cache(SHARDS_KEPT)
    def digests(shard: str) -> dict[str, Any]:
        records = stores.matches.records("matches", shard)
        return {key: record.get("digest") for key, record in records.items()}

    def is_stale(key: str, record: dict[str, Any]) -> bool:
        shard = stores.matches.shard("matches", key)
        return shard is not None and digests(shard)[key] != record.get("made_of")

    for shard in stores.verified.shards("verified"):
        records = stores.verified.records("verified", shard)
        if any(is_stale(key, record) for key, record in records.items()):
            yield shard


STALE: dict[str, Callable[[Stores], Iterator[str]]] = {"matches": stale_matches, "verified": stale_geometry}
"""Kind of record -> what finds those shards that were made of what isn't there any more."""


def _features_digests(features: Store) -> Iterator[str]:
    for key, record in features.scan("features"):
        if "digest" in record:
            yield record["digest"]
        else:  # of a version that wrote none
            yield keypoints_digest(key, features.read("features", key, "keypoints")["keypoints"])


def _digest(name: bytes, array: np.ndarray) -> str:
    content = hashlib.blake2b(name + b"\0", digest_size=DIGITS // 2)
    content.update(array.tobytes())
    return content.hexdigest()
