"""Planning: units of missing work, as a pure function of the images, the selected pairs and the finished records.

Units are cut from the complete work, and finished items are removed afterwards. So the units are the same in every run,
and a damaged shard is recomputed by the unit that wrote it.
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

IMAGES_PER_TILE = 64
"""Side of the square tiles of the pair matrix that are processed one after another, so that few features are in memory."""


@dataclass(frozen=True, slots=True)
class ExtractUnit:
    """Images whose features become one shard; duplicates are in the same unit, so that they are extracted once."""

    images: tuple[ImageRecord, ...]


@dataclass(frozen=True, slots=True)
class MatchUnit:
    """Pairs whose matches become one shard, as keys of the two images."""

    pairs: tuple[tuple[str, str], ...]


def plan_extraction(
    images: Sequence[ImageRecord], done: KeySet | None = None, *, size: int = IMAGES_PER_UNIT
) -> Iterator[ExtractUnit]:
    """Yield units of all images without features.

    Args:
        images: Images of the collection.
        done: Keys of images with features.
        size: Number of images per unit; larger only for more duplicates of one image.
    """
    done = done or KeySet()
    for unit in _fill_units(group_by_content(images), size):
        is_done = done.contains([image.key for image in unit])
        missing = tuple(image for image, known in zip(unit, is_done, strict=True) if not known)
        if missing:
            yield ExtractUnit(missing)


def plan_matching(
    pairs: SelectedPairs, done: KeySet | None = None, *, size: int = PAIRS_PER_UNIT
) -> Iterator[MatchUnit]:
    """Yield units of all pairs that are not done; also used for verification, with the verified pairs.

    Memory grows with the number of images, and by 16 bytes per finished pair.

    Args:
        pairs: Selected pairs of the collection.
        done: Keys (`pair_key`) of finished pairs.
        size: Maximum number of pairs per unit.
    """
    done = done or KeySet()
    keys = [image.key for image in pairs.images]
    for block in _rebatch(_order_by_tiles(pairs.blocks()), size):
        unit = [(keys[first], keys[second]) for first, second in block.tolist()]
        is_done = done.contains(map(pair_key, unit)) if done else np.zeros(len(unit), bool)
        missing = tuple(pair for pair, known in zip(unit, is_done, strict=True) if not known)
        if missing:
            yield MatchUnit(missing)


def _fill_units(groups: Sequence[Sequence[ImageRecord]], size: int) -> Iterator[list[ImageRecord]]:
    """Join consecutive groups up to `size` images."""
    unit: list[ImageRecord] = []
    for group in groups:
        if unit and len(unit) + len(group) > size:
            yield unit
            unit = []
        unit += group
    if unit:
        yield unit


def _order_by_tiles(blocks: Blocks) -> Blocks:
    """Yield the pairs of one row of tiles at a time, ordered by the tiles of the second image."""
    waiting: list[np.ndarray] = []
    for block in blocks:
        rows = block[:, 0] // IMAGES_PER_TILE
        for piece in np.split(block, np.flatnonzero(np.diff(rows)) + 1):
            is_new_row = (
                waiting
                and len(piece)
                and waiting[0][0, 0] // IMAGES_PER_TILE != piece[0, 0] // IMAGES_PER_TILE
            )
            if is_new_row:
                yield _sort_by_tiles(np.concatenate(waiting))
                waiting = []
            waiting += [piece] if len(piece) else []
    if waiting:
        yield _sort_by_tiles(np.concatenate(waiting))


def _sort_by_tiles(pairs: Int32[np.ndarray, "k 2"]) -> Int32[np.ndarray, "k 2"]:
    first, second = pairs.T
    return pairs[np.lexsort((second, first, second // IMAGES_PER_TILE))]


def _rebatch(blocks: Blocks, size: int) -> Blocks:
    """Yield the same pairs in blocks of `size`."""
    rest = np.empty((0, 2), np.int32)
    for block in blocks:
        rest = np.concatenate([rest, block])
        end = len(rest) // size * size
        yield from np.split(rest[:end], range(size, end, size)) if end else ()
        rest = rest[end:]
    if len(rest):
        yield rest
