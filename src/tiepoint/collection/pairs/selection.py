"""Pair selection: a table of methods that each return a stream of image pairs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Int32, Int64

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs.covisibility import model_digest, read_covisible_pairs
from tiepoint.collection.pairs.pair_list import pair_list_digest, read_pair_list
from tiepoint.collection.pairs.retrieval import most_similar_images
from tiepoint.collection.pairs.spatial import nearest_positions
from tiepoint.errors import InvalidInput
from tiepoint.feature_store.keys import sort_distinct
from tiepoint.types import Features

FeatureReader: TypeAlias = Callable[[str], Features]
"""Reads the features of an image by name."""

Blocks: TypeAlias = Iterator[Int32[np.ndarray, "k 2"]]
"""Blocks of image index pairs, by increasing first index."""

LOOPS = "+loops"
"""Suffix of "sequential:K" that adds pairs by retrieval."""

LOOPS_PER_IMAGE = 5
"""Number of similar images that are not near in the sequence, which close loops."""

BLOCK = 65_536  # approximate number of pairs per block


@dataclass(frozen=True, slots=True)
class PairSelection:
    """A selection method and its argument.

    Attributes:
        method: Name of a method in `METHODS`.
        argument: Number of neighbors K, list file, or folder of a model; "" for "exhaustive".
    """

    method: str
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.method}:{self.argument}" if self.argument else self.method

    @property
    def count(self) -> int:
        """K of "sequential:K", "retrieval:K" and "spatial:K"."""
        return int(self.argument.removesuffix(LOOPS))

    @property
    def uses_retrieval(self) -> bool:
        """Whether images are selected by their features."""
        return self.method == "retrieval" or self.closes_loops

    @property
    def closes_loops(self) -> bool:
        """Whether it is "sequential:K+loops"."""
        return self.method == "sequential" and self.argument.endswith(LOOPS)

    def absolute(self) -> "PairSelection":
        """Return the same selection with an absolute path, independent of the working directory."""
        if self.method not in DIGESTS:
            return self
        return PairSelection(self.method, str(Path(self.argument).expanduser().absolute()))

    def list_digest(self) -> str:
        """Return the digest of the current content of the list or model; "" for the other methods.

        Raises:
            InvalidInput: If it cannot be read.
        """
        return DIGESTS[self.method](self.path) if self.method in DIGESTS else ""

    @property
    def path(self) -> Path:
        """List file, or folder of the model."""
        return Path(self.argument).expanduser()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SelectedPairs:
    """Selected image pairs, each once; can be iterated repeatedly and yields (name0, name1).

    Attributes:
        images: Images in natural sort order; image 0 of a pair precedes image 1.
        blocks: Starts a new stream of index pairs into `images`, shape (k, 2), by increasing first index.
        count: Number of pairs.
        problems: One message per image or line that could not be used.
    """

    images: tuple[ImageRecord, ...]
    blocks: Callable[[], Blocks]
    count: int
    problems: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[str, str]]:
        names = [image.name for image in self.images]
        for block in self.blocks():
            for first, second in block.tolist():
                yield names[first], names[second]

    def __repr__(self) -> str:
        return f"SelectedPairs({self.count:,} pairs of {len(self.images):,} images)"


def parse_pair_selection(text: str) -> PairSelection:
    """Parse "exhaustive", "sequential:K", "sequential:K+loops", "retrieval:K", "spatial:K", "covisible:MODEL" or "list:FILE".

    Args:
        text: Pair selection.

    Raises:
        InvalidInput: If the text has another form.
    """
    method, colon, argument = text.partition(":")
    if method not in METHODS or bool(colon) != (method != "exhaustive"):
        raise InvalidInput(f"unknown pair selection {text!r}; expected {', '.join(FORMS)}")
    number = argument.removesuffix(LOOPS) if method == "sequential" else argument
    if method in COUNTED and not (number.isascii() and number.isdigit() and int(number) > 0):
        raise InvalidInput(f"expected {method}:K with a positive number of neighbors K, got {text!r}")
    if not argument and colon:
        what = {
            "list": "list:FILE with a pair list",
            "covisible": "covisible:MODEL with the folder of a COLMAP model",
        }
        raise InvalidInput(f"expected {what[method]}, got {text!r}")
    return PairSelection(method, argument)


def select_pairs(
    selection: PairSelection, images: Sequence[ImageRecord], *, read_features: FeatureReader | None = None
) -> SelectedPairs:
    """Select pairs of images.

    Args:
        selection: Selection method.
        images: Usable images in natural sort order, as from `scan_images`.
        read_features: Reads the features of an image, a few times per image; required by "retrieval" and "+loops".

    Raises:
        InvalidInput: If "retrieval" or "+loops" has no `read_features`, or a list or model cannot be read.
        MissingDependency: If "retrieval" or "+loops" needs faiss, "spatial" SciPy, or "covisible" pycolmap, and it is not
            installed.
    """
    return METHODS[selection.method](selection, tuple(images), read_features)


def _exhaustive(
    selection: PairSelection, images: tuple[ImageRecord, ...], _: FeatureReader | None
) -> SelectedPairs:
    return _within(images, len(images))


def _sequential(
    selection: PairSelection, images: tuple[ImageRecord, ...], read_features: FeatureReader | None
) -> SelectedPairs:
    in_sequence = _within(images, selection.count)
    if not selection.closes_loops:
        return in_sequence
    neighbors = _similar_images(images, LOOPS_PER_IMAGE + 2 * selection.count, read_features)
    far = np.abs(neighbors - np.arange(len(images), dtype=np.int32)[:, None]) > selection.count
    far &= neighbors >= 0
    chosen = np.where(far & (far.cumsum(axis=1) <= LOOPS_PER_IMAGE), neighbors, np.int32(-1))
    pairs = [*in_sequence.blocks(), _neighbor_pairs(chosen)]
    return _distinct(images, np.concatenate(pairs), [])


def _within(images: tuple[ImageRecord, ...], overlap: int) -> SelectedPairs:
    """Pair each image with the next `overlap` ones; at most one block is in memory."""
    total = len(images)
    overlap = min(overlap, max(total - 1, 0))
    count = overlap * total - overlap * (overlap + 1) // 2
    rows = max(1, BLOCK // max(1, overlap))

    def blocks() -> Blocks:
        steps = np.arange(1, overlap + 1, dtype=np.int32)
        for start in range(0, total, rows):
            first = np.arange(start, min(start + rows, total), dtype=np.int32)[:, None]
            pairs = np.stack(np.broadcast_arrays(first, first + steps), axis=-1).reshape(-1, 2)
            yield pairs[pairs[:, 1] < total]

    return SelectedPairs(images=images, blocks=blocks, count=count)


def _listed(
    selection: PairSelection, images: tuple[ImageRecord, ...], _: FeatureReader | None
) -> SelectedPairs:
    pairs, problems = read_pair_list(selection.argument, [image.name for image in images])
    return _distinct(images, pairs, problems)


def _covisible(
    selection: PairSelection, images: tuple[ImageRecord, ...], _: FeatureReader | None
) -> SelectedPairs:
    pairs, problems = read_covisible_pairs(selection.path, [image.name for image in images])
    return _distinct(images, pairs, problems)


def _spatial(
    selection: PairSelection, images: tuple[ImageRecord, ...], _: FeatureReader | None
) -> SelectedPairs:
    with_position = np.array([i for i, image in enumerate(images) if image.position], np.int32)
    positions = [image.position for image in images if image.position]
    neighbors = nearest_positions(positions, selection.count)
    problems = [
        f"{image.name}: no GPS position in the EXIF data, so it is in no pair; use retrieval or a list"
        for image in images
        if not image.position
    ]
    return _distinct(images, with_position[_neighbor_pairs(neighbors)], problems)


def _retrieved(
    selection: PairSelection, images: tuple[ImageRecord, ...], read_features: FeatureReader | None
) -> SelectedPairs:
    neighbors = _similar_images(images, selection.count, read_features)
    problems = [
        f"{images[index].name}: no keypoints, so retrieval finds no similar image"
        for index in np.flatnonzero((neighbors < 0).all(axis=1)).tolist()
        if len(images) > 1
    ]
    return _distinct(images, _neighbor_pairs(neighbors), problems)


def _similar_images(
    images: tuple[ImageRecord, ...], count: int, read_features: FeatureReader | None
) -> Int32[np.ndarray, "n k"]:
    """Return the most similar images of each one, the most similar first, padded with -1."""
    if read_features is None:
        raise InvalidInput(
            "pair selection by retrieval compares features; extract them and pass read_features"
        )

    def read_descriptors(index: int) -> np.ndarray:
        return read_features(images[index].name).descriptors.numpy()

    return most_similar_images(read_descriptors, len(images), count)


def _neighbor_pairs(neighbors: Int32[np.ndarray, "n k"]) -> Int32[np.ndarray, "p 2"]:
    """Return (image, neighbor) pairs without the padding -1; mutual neighbors occur in both orders."""
    first = np.broadcast_to(np.arange(len(neighbors), dtype=np.int32)[:, None], neighbors.shape)
    return np.stack([first, neighbors], axis=-1)[neighbors >= 0]


def _distinct(
    images: tuple[ImageRecord, ...], pairs: Int32[np.ndarray, "p 2"], problems: Sequence[str]
) -> SelectedPairs:
    """Remove repeated and reversed pairs; each pair takes 8 bytes."""
    total = len(images)
    codes = pairs.min(axis=1).astype(np.int64)
    codes *= total  # in place: there may be ten million
    codes += pairs.max(axis=1)
    codes = sort_distinct(codes)

    def blocks() -> Blocks:
        for start in range(0, len(codes), BLOCK):
            yield _decode(codes[start : start + BLOCK], total)

    return SelectedPairs(images=images, blocks=blocks, count=len(codes), problems=tuple(problems))


def _decode(codes: Int64[np.ndarray, "k"], total: int) -> Int32[np.ndarray, "k 2"]:
    return np.stack(np.divmod(codes, total), axis=1).astype(np.int32)


METHODS: dict[
    str, Callable[[PairSelection, tuple[ImageRecord, ...], FeatureReader | None], SelectedPairs]
] = {
    "exhaustive": _exhaustive,
    "sequential": _sequential,
    "retrieval": _retrieved,
    "spatial": _spatial,
    "covisible": _covisible,
    "list": _listed,
}
"""Name of a method -> function that selects the pairs."""

COUNTED = ("sequential", "retrieval", "spatial")
"""Methods whose argument is a number of neighbors."""

DIGESTS: dict[str, Callable[[Path], str]] = {"list": pair_list_digest, "covisible": model_digest}
"""Methods whose argument is a path -> function that returns the digest of its content."""

FORMS = (
    "exhaustive",
    "sequential:K",
    "sequential:K+loops",
    "retrieval:K",
    "spatial:K",
    "covisible:MODEL",
    "list:FILE",
)
"""Forms of a pair selection."""
