"""Which photographs are matched with which: one table of methods, one stream of pairs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Int32, Int64

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs.pair_list import pair_list_digest, read_pair_list
from tiepoint.collection.pairs.retrieval import most_similar_images
from tiepoint.collection.pairs.spatial import nearest_positions
from tiepoint.errors import InvalidInput
from tiepoint.feature_store.keys import sort_distinct
from tiepoint.types import Features

FeatureReader: TypeAlias = Callable[[str], Features]
"""Name of a photograph -> its features."""

Blocks: TypeAlias = Iterator[Int32[np.ndarray, "k 2"]]
"""Indices of photographs, by rising first index, some at a time."""

BLOCK = 65_536  # pairs that are handed on together, more or less


@dataclass(frozen=True, slots=True)
class PairSelection:
    """How pairs are chosen.

    Attributes:
        method: a name of `METHODS`.
        argument: K, or the file; "" for "exhaustive".
    """

    method: str
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.method}:{self.argument}" if self.argument else self.method

    @property
    def count(self) -> int:
        """K of "sequential:K", "retrieval:K" and "spatial:K"."""
        return int(self.argument)

    def absolute(self) -> "PairSelection":
        """The same choice from any working directory: "list:FILE" with the whole path of the file."""
        if self.method != "list":
            return self
        return PairSelection(self.method, str(Path(self.argument).expanduser().absolute()))

    def list_digest(self) -> str:
        """16 hexadecimal digits of what stands in the list now; "" for the other methods.

        Raises:
            InvalidInput: the list can't be read.
        """
        return pair_list_digest(self.argument) if self.method == "list" else ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SelectedPairs:
    """Pairs of photographs, each once; iterating gives (name0, name1), as often as it is done.

    Attributes:
        photographs: in natural order; the first of a pair comes before the second.
        blocks: makes a new stream of (k, 2) indices into `photographs`, by rising index of the first.
        count: number of pairs.
        problems: a line for everything that could not be used.
    """

    photographs: tuple[ImageRecord, ...]
    blocks: Callable[[], Blocks]
    count: int
    problems: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[str, str]]:
        names = [photograph.name for photograph in self.photographs]
        for block in self.blocks():
            for first, second in block.tolist():
                yield names[first], names[second]


def parse_pair_selection(text: str) -> PairSelection:
    """Read "exhaustive", "sequential:K", "retrieval:K", "spatial:K" or "list:FILE".

    Raises:
        InvalidInput: anything else.
    """
    method, colon, argument = text.partition(":")
    if method not in METHODS or bool(colon) != (method != "exhaustive"):
        raise InvalidInput(f"pairs are chosen by {', '.join(FORMS)}; {text!r} is none of them")
    if method in COUNTED and not (argument.isascii() and argument.isdigit() and int(argument) > 0):
        raise InvalidInput(
            f"{text!r}: behind {method!r} stands how many others a photograph is paired with, such as {method}:10"
        )
    if not argument and colon:
        raise InvalidInput(
            f"{text!r}: behind {method!r} stands the file with the pairs, such as list:pairs.txt"
        )
    return PairSelection(method, argument)


def select_pairs(
    choice: PairSelection, photographs: Sequence[ImageRecord], *, features_of: FeatureReader | None = None
) -> SelectedPairs:
    """Choose pairs of photographs.

    Args:
        choice: how.
        photographs: in natural order, as `find_photographs` gives them, without those that can't be used.
        features_of: for "retrieval": reads the features of a photograph; asked for each a few times.

    Raises:
        InvalidInput: "retrieval" without `features_of`; a list that can't be read.
        MissingDependency: "retrieval" without faiss.
    """
    return METHODS[choice.method](choice, tuple(photographs), features_of)


def _exhaustive(
    choice: PairSelection, photographs: tuple[ImageRecord, ...], _: FeatureReader | None
) -> SelectedPairs:
    return _within(photographs, len(photographs))


def _sequential(
    choice: PairSelection, photographs: tuple[ImageRecord, ...], _: FeatureReader | None
) -> SelectedPairs:
    return _within(photographs, choice.count)


def _within(photographs: tuple[ImageRecord, ...], reach: int) -> SelectedPairs:
    """Every photograph with those up to `reach` places behind it; never more than a block in memory."""
    total = len(photographs)
    reach = min(reach, max(total - 1, 0))
    count = reach * total - reach * (reach + 1) // 2
    rows = max(1, BLOCK // max(1, reach))

    def blocks() -> Blocks:
        steps = np.arange(1, reach + 1, dtype=np.int32)
        for start in range(0, total, rows):
            first = np.arange(start, min(start + rows, total), dtype=np.int32)
            pairs = np.stack(np.broadcast_arrays(first[:, None], first[:, None] + steps), axis=-1).reshape(
                -1, 2
            )
            yield pairs[pairs[:, 1] < total]

    return SelectedPairs(photographs=photographs, blocks=blocks, count=count)


def _listed(
    choice: PairSelection, photographs: tuple[ImageRecord, ...], _: FeatureReader | None
) -> SelectedPairs:
    pairs, problems = read_pair_list(choice.argument, [photograph.name for photograph in photographs])
    return _kept(photographs, pairs, problems)


def _spatial(
    choice: PairSelection, photographs: tuple[ImageRecord, ...], _: FeatureReader | None
) -> SelectedPairs:
    placed = np.array([i for i, photograph in enumerate(photographs) if photograph.position], np.int32)
    positions = [photograph.position for photograph in photographs if photograph.position]
    neighbors = nearest_positions(positions, choice.count)
    problems = [
        f"{photograph.name}: no GPS position in its EXIF data, so it has no neighbors; use retrieval or a list"
        for photograph in photographs
        if not photograph.position
    ]
    return _kept(photographs, placed[_with_neighbors(neighbors)], problems)


def _retrieved(
    choice: PairSelection, photographs: tuple[ImageRecord, ...], features_of: FeatureReader | None
) -> SelectedPairs:
    if features_of is None:
        raise InvalidInput("retrieval compares features: extract them first, and pass features_of")

    def descriptors_of(index: int) -> np.ndarray:
        return features_of(photographs[index].name).descriptors.numpy()

    neighbors = most_similar_images(descriptors_of, len(photographs), choice.count)
    problems = [
        f"{photographs[index].name}: no keypoints, so nothing looks like it"
        for index in np.flatnonzero((neighbors < 0).all(axis=1)).tolist()
        if len(photographs) > 1
    ]
    return _kept(photographs, _with_neighbors(neighbors), problems)


def _with_neighbors(neighbors: Int32[np.ndarray, "n k"]) -> Int32[np.ndarray, "p 2"]:
    """(n, k) neighbors of each, or -1 -> pairs; one of which each is the other's neighbor comes twice."""
    first = np.broadcast_to(np.arange(len(neighbors), dtype=np.int32)[:, None], neighbors.shape)
    return np.stack([first, neighbors], axis=-1)[neighbors >= 0]


def _kept(
    photographs: tuple[ImageRecord, ...], pairs: Int32[np.ndarray, "p 2"], problems: Sequence[str]
) -> SelectedPairs:
    """Pairs in either order and any number of times -> each once, kept in 8 bytes."""
    total = len(photographs)
    codes = pairs.min(axis=1).astype(np.int64)
    codes *= total  # in place: there may be ten million
    codes += pairs.max(axis=1)
    codes = sort_distinct(codes)

    def blocks() -> Blocks:
        for start in range(0, len(codes), BLOCK):
            yield _decoded(codes[start : start + BLOCK], total)

    return SelectedPairs(photographs=photographs, blocks=blocks, count=len(codes), problems=tuple(problems))


def _decoded(codes: Int64[np.ndarray, "k"], total: int) -> Int32[np.ndarray, "k 2"]:
    return np.stack(np.divmod(codes, total), axis=1).astype(np.int32)


METHODS: dict[
    str, Callable[[PairSelection, tuple[ImageRecord, ...], FeatureReader | None], SelectedPairs]
] = {
    "exhaustive": _exhaustive,
    "sequential": _sequential,
    "retrieval": _retrieved,
    "spatial": _spatial,
    "list": _listed,
}
"""Name of a method -> what chooses the pairs."""

COUNTED = ("sequential", "retrieval", "spatial")
"""Methods whose argument is a number."""

FORMS = ("exhaustive", *(f"{method}:K" for method in COUNTED), "list:FILE")
"""What `parse_pair_selection` reads."""
