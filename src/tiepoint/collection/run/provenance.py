"""Provenance of records: digests of the inputs that matches and verified pairs were computed from.

Features that are computed again, for example because their shard was damaged, may have another keypoint order on another
device or with another version of torch. Matches are indices into the keypoints, and inliers are indices into the matches,
so both would be invalid. Each record therefore has a digest, and the digest of its inputs (field "made_of"); records
whose inputs have changed are found here and computed again. Records of old versions without digests count as valid.

Checking all records takes time, so `Stages` does it only after features or matches may have changed.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from tiepoint.collection.state import Stores
from tiepoint.feature_store import Store
from tiepoint.feature_store.keys import KeySet

DIGEST_BYTES = 8
"""Size of a digest in bytes (16 hexadecimal digits)."""

CACHE_SIZE = 8
"""Match shards whose digests are kept in memory; a shard of verified pairs mostly refers to one of them."""


def keypoints_digest(key: str, keypoints: np.ndarray) -> str:
    """Return the digest of an image's features.

    Args:
        key: Key of the image.
        keypoints: Keypoint coordinates (x, y) in px, shape (n, 2); matches are indices into them.
    """
    return _digest(key.encode("utf-8", "surrogatepass"), keypoints)


def matches_digest(inputs_digest: str, matches: np.ndarray) -> str:
    """Return the digest of a pair's matches.

    Args:
        inputs_digest: Digests of the pair's features, from `pair_inputs_digest`.
        matches: Index pairs, shape (k, 2); inliers are indices into them.
    """
    return _digest(inputs_digest.encode(), matches)


def pair_inputs_digest(pair: tuple[str, str], digests: Mapping[str, str]) -> str:
    """Return the feature digests of both images of a pair, the inputs of its matches.

    Args:
        pair: Keys of the two images.
        digests: Feature digest of each image key.
    """
    return " ".join(digests[key] for key in pair)


def stale_matches(stores: Stores) -> Iterator[str]:
    """Yield match shards whose features have changed; memory grows with the number of images."""
    current = KeySet(_features_digests(stores.features))
    for shard in stores.matches.shards("matches"):
        records = stores.matches.records("matches", shard).values()
        inputs = [digest for record in records for digest in (record.get("made_of") or "").split()]
        if not current.contains(inputs).all():
            yield shard


def stale_geometry(stores: Stores) -> Iterator[str]:
    """Yield shards of verified pairs whose matches have changed; pairs without matches are ignored."""

    @lru_cache(CACHE_SIZE)
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
"""Kind of records -> function that yields the shards whose inputs have changed."""


def _features_digests(features: Store) -> Iterator[str]:
    for key, record in features.scan("features"):
        if "digest" in record:
            yield record["digest"]
        else:  # written by an old version
            yield keypoints_digest(key, features.read("features", key, "keypoints")["keypoints"])


def _digest(name: bytes, array: np.ndarray) -> str:
    content = hashlib.blake2b(name + b"\0", digest_size=DIGEST_BYTES)
    content.update(array.tobytes())
    return content.hexdigest()
