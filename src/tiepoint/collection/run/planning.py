"""What is still to be done, cut into units of work: a pure function of photographs, pairs and what is done.

Units are cut from all there is, and what is done is left out afterwards; so they stay the same from run to run, and a
damaged shard is redone by the unit that made it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32

from tiepoint.collection.images import ImageRecord, group_by_content
from tiepoint.collection.pairs.selection import Blocks, SelectedPairs
from tiepoint.feature_store.keys import KeySet, pair_key

IMAGES_PER_UNIT = 16
PAIRS_PER_UNIT = 128

TILE = 64
"""Pairs of so many photographs with so many follow each other, so that few features are needed at once."""


@dataclass(frozen=True, slots=True)
class ExtractUnit:
    """Photographs whose features become one shard; those of equal content stand together, to be extracted once."""

    photographs: tuple[ImageRecord, ...]


@dataclass(frozen=True, slots=True)
class MatchUnit:
    """Pairs whose matches become one shard: the keys of the two photographs of each; `pair_key` makes the pair's."""

    pairs: tuple[tuple[str, str], ...]


def plan_extraction(
    photographs: Sequence[ImageRecord], done: KeySet | None = None, *, size: int = IMAGES_PER_UNIT
) -> Iterator[ExtractUnit]:
    """Units of all photographs whose key isn't done.

    Args:
        photographs: of the collection.
        done: keys of photographs that have features.
        size: photographs a unit; more only where more have the same content.
    """
    done = done or KeySet()
    for unit in _filled(group_by_content(photographs), size):
        known = done.holds([photograph.key for photograph in unit])
        missing = tuple(photograph for photograph, is_known in zip(unit, known, strict=True) if not is_known)
        if missing:
            yield ExtractUnit(missing)


def plan_matching(
    pairs: SelectedPairs, done: KeySet | None = None, *, size: int = PAIRS_PER_UNIT
) -> Iterator[MatchUnit]:
    """Units of all pairs whose `pair_key` isn't done; for verification too, with the pairs that are verified.

    Memory grows with the number of photographs, and with the keys of what is done: 16 bytes each.

    Args:
        pairs: of the collection.
        done: keys of pairs that have matches.
        size: pairs a unit at most.
    """
    done = done or KeySet()
    keys = [photograph.key for photograph in pairs.photographs]
    for block in _cut(_tiled(pairs.blocks()), size):
        unit = [(keys[first], keys[second]) for first, second in block.tolist()]
        known = done.holds(map(pair_key, unit)) if done else np.zeros(len(unit), bool)
        missing = tuple(pair for pair, is_known in zip(unit, known, strict=True) if not is_known)
        if missing:
            yield MatchUnit(missing)


def _filled(groups: Sequence[Sequence[ImageRecord]], size: int) -> Iterator[list[ImageRecord]]:
    """Join groups until they hold `size` photographs."""
    unit: list[ImageRecord] = []
    for group in groups:
        if unit and len(unit) + len(group) > size:
            yield unit
            unit = []
        unit += group
    if unit:
        yield unit


def _tiled(blocks: Blocks) -> Blocks:
    """Pairs of `TILE` first photographs at a time, ordered by tiles of the second."""
    waiting: list[np.ndarray] = []
    for block in blocks:
        rows = block[:, 0] // TILE
        for piece in np.split(block, np.flatnonzero(np.diff(rows)) + 1):
            if waiting and len(piece) and waiting[0][0, 0] // TILE != piece[0, 0] // TILE:
                yield _by_tiles(np.concatenate(waiting))
                waiting = []
            waiting += [piece] if len(piece) else []
    if waiting:
        yield _by_tiles(np.concatenate(waiting))


def _by_tiles(pairs: Int32[np.ndarray, "k 2"]) -> Int32[np.ndarray, "k 2"]:
    first, second = pairs.T
    return pairs[np.lexsort((second, first, second // TILE))]


def _cut(blocks: Blocks, size: int) -> Blocks:
    """The same pairs, `size` at a time."""
    rest = np.empty((0, 2), np.int32)
    for block in blocks:
        rest = np.concatenate([rest, block])
        whole = len(rest) // size * size
        yield from np.split(rest[:whole], range(size, whole, size)) if whole else ()
        rest = rest[whole:]
    if len(rest):
        yield rest
