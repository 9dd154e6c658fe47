"""Pairs of a matched collection: the matches that its two-view geometry confirms are the ground truth.

The collection was matched by a teacher, such as the published matcher at full resolution with all layers, so no other
annotation is needed. A keypoint is labeled as matched if its match is an inlier, as unmatched if the geometry rules out
every candidate in the other image, and is ignored otherwise.
"""

from collections.abc import Sequence, Set as AbstractSet
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tiepoint.collection.collection import Collection
from tiepoint.errors import InvalidInput
from tiepoint.geometry.ground_truth import EPIPOLAR_PX, IGNORED, UNMATCHED, GroundTruth, no_matches
from tiepoint.geometry.multiview import epipolar_lines, to_homogeneous, warp_points
from tiepoint.io.hashing import text_digest
from tiepoint.matching.top_k import select_top_k
from tiepoint.training.data.pairs import (
    PairDataset,
    PairSample,
    check_fraction,
    describe_features,
    digest,
    epoch_permutation,
)
from tiepoint.types import Features, TwoViewEstimate

MIN_INLIERS = 30
"""Minimum number of inliers of a pair: fewer agree with some geometry by chance."""

HELD_OUT_FRACTION = 0.1

MIN_PAIRS = 8

NamePair = tuple[str, str]


class VerifiedCollection(NamedTuple):
    """Verified pairs of a collection, split by folder.

    Attributes:
        collection: The collection.
        training: Image names of the training pairs.
        held_out: Image names of the validation pairs. Both images are held out; of a collection of one folder, at least one.
        held_out_images: Names of the held-out images, which are in no training pair.
    """

    collection: Collection
    training: tuple[NamePair, ...]
    held_out: tuple[NamePair, ...]
    held_out_images: frozenset[str]


class VerifiedPairs(PairDataset):
    """Verified pairs of a collection, each once per epoch, in random order and orientation.

    Some of them are replaced by negatives: images of different folders, in which nothing matches. A collection of one
    folder has none.

    Args:
        collection: The collection.
        pairs: Image names of the pairs.
        max_keypoints: Maximum number of keypoints per image, highest scores first.
        seed: Random seed of the pairs and their order.
        negatives: Fraction of negative pairs, in [0, 1].
        cache_size: Number of images whose features are kept in memory.

    Raises:
        InvalidInput: If the fraction is outside [0, 1].
    """

    def __init__(
        self,
        collection: Collection,
        pairs: Sequence[NamePair],
        *,
        max_keypoints: int,
        seed: int = 0,
        negatives: float = 0.05,
        cache_size: int = 64,
    ) -> None:
        check_fraction("negatives", negatives)
        self.collection, self.pairs = collection, tuple(pairs)
        self.max_keypoints, self.seed = max_keypoints, seed
        self._names = sorted({name for pair in pairs for name in pair})
        self._folders = sorted({folder_of(name) for name in self._names})
        self.negatives = negatives if len(self._folders) > 1 else 0.0
        self._read = lru_cache(maxsize=cache_size)(collection.features)
        self._order = lru_cache(maxsize=2)(lambda epoch: epoch_permutation(seed, epoch, len(self.pairs)))
        self.kind, self.descriptor_dim, self.position_dim = describe_features(self._read(pairs[0][0]))
        keys = {image.name: image.key for image in collection.state.images}
        content = [f"{keys[name0]} {keys[name1]}" for name0, name1 in pairs]
        settings = [max_keypoints, seed, self.negatives, sorted(collection.state.settings.items())]
        self.fingerprint = digest([*content, *map(repr, settings)])

    def __getitem__(self, index: int) -> PairSample:
        """Return the pair of an index; indices start at 0 and have no upper limit."""
        generator = np.random.default_rng([self.seed, index])
        if generator.random() < self.negatives:
            return self._negative(generator)
        epoch, position = divmod(index, len(self.pairs))
        pair = self.pairs[int(self._order(epoch)[position])]
        sample = self.sample(pair)
        return sample.swapped() if generator.random() < 0.5 else sample

    def sample(self, pair: NamePair) -> PairSample:
        """Return the features and the ground truth of a pair.

        Args:
            pair: Image names, in the order of the collection.
        """
        estimate = self.collection.geometry(*pair)
        assert estimate is not None, "pairs are chosen by their geometry"
        matches, _ = self.collection.matches(*pair)
        features = [self._read(name) for name in pair]
        selected = [select_top_k(one, self.max_keypoints) for one in features]
        (features0, indices0), (features1, indices1) = selected
        inliers = _reindex(matches[estimate.inliers], indices0, indices1)
        scales = [max(1.0, max(one.image_size) / self._resize) for one in features]
        truth = label_by_geometry(features0, features1, inliers, estimate, EPIPOLAR_PX * max(scales))
        return PairSample(features0=features0, features1=features1, **truth._asdict())

    @property
    def _resize(self) -> float:
        return float(self.collection.settings.get("resize") or np.inf)

    def _negative(self, generator: np.random.Generator) -> PairSample:
        first, second = generator.choice(len(self._folders), 2, replace=False)
        features0, features1 = (self._any_image(self._folders[int(k)], generator) for k in (first, second))
        truth = no_matches(len(features0), len(features1))
        return PairSample(features0=features0, features1=features1, **truth._asdict())

    def _any_image(self, folder: str, generator: np.random.Generator) -> Features:
        names = [name for name in self._names if folder_of(name) == folder]
        return select_top_k(self._read(names[int(generator.integers(len(names)))]), self.max_keypoints)[0]


def split_verified_pairs(collection: Collection) -> VerifiedCollection:
    """Choose the training and validation pairs of a collection: whole folders, or images if there is one folder.

    Args:
        collection: The collection.

    Raises:
        InvalidInput: If too few pairs are verified.
    """
    pairs = [pair for pair in collection.pairs() if is_usable(collection.geometry(*pair))]
    if len(pairs) < MIN_PAIRS:
        raise InvalidInput(
            f"expected at least {MIN_PAIRS} pairs with {MIN_INLIERS} inliers in {collection.folder}, got {len(pairs)}; "
            "match more images that show the same scenes, or train on homographic warps (leave out the collection)"
        )
    names = {name for pair in pairs for name in pair}
    held_out = _hold_out(names)
    counts = [len(held_out.intersection(pair)) for pair in pairs]
    training = tuple(pair for pair, count in zip(pairs, counts, strict=True) if count == 0)
    # the held-out images of one folder are seldom pairs of each other
    least = 2 if 2 in counts else 1
    validation = tuple(pair for pair, count in zip(pairs, counts, strict=True) if count >= least)
    if not training or not validation:
        raise InvalidInput(
            f"cannot hold out pairs of {collection.folder} for validation: {len(training)} are left for training; "
            "match more images"
        )
    return VerifiedCollection(collection, training, validation, held_out)


def is_usable(estimate: TwoViewEstimate | None) -> bool:
    """Return whether a two-view geometry is good enough to train on.

    Args:
        estimate: Geometry of a pair; None if it was not estimated.
    """
    return estimate is not None and estimate.matrix is not None and estimate.num_inliers >= MIN_INLIERS


def folder_of(name: str) -> str:
    """Return the folder of an image, which is a scene of its own; "" without folders.

    Args:
        name: Name of the image in the collection.
    """
    return PurePosixPath(name).parent.as_posix()


def label_by_geometry(
    features0: Features,
    features1: Features,
    inliers: Int[Tensor, "k 2"],
    estimate: TwoViewEstimate,
    max_distance_px: float,
) -> GroundTruth:
    """Label the keypoints of a pair by its inliers and its geometry.

    Args:
        features0: Features of image 0.
        features1: Features of image 1.
        inliers: Indices of the matched keypoints.
        estimate: Fundamental matrix or homography.
        max_distance_px: Maximum distance of a possible match from the epipolar line, or from the point to which the
            homography maps it, in px of the original images.
    """
    count0, count1 = len(features0), len(features1)
    matches0 = torch.full((count0,), IGNORED, dtype=torch.int64, device="cpu")
    matches1 = torch.full((count1,), IGNORED, dtype=torch.int64, device="cpu")
    matches0[inliers[:, 0]], matches1[inliers[:, 1]] = inliers[:, 1], inliers[:, 0]
    possible = _possible(features0, features1, estimate, max_distance_px)
    undecided = possible & (matches0 == IGNORED)[:, None] & (matches1 == IGNORED)[None]
    matches0[(matches0 == IGNORED) & ~undecided.any(1)] = UNMATCHED
    matches1[(matches1 == IGNORED) & ~undecided.any(0)] = UNMATCHED
    return GroundTruth(matches0, matches1)


def _possible(
    features0: Features, features1: Features, estimate: TwoViewEstimate, max_distance_px: float
) -> Bool[Tensor, "m n"]:
    """Return which pairs of keypoints agree with the geometry."""
    points0, points1 = (one.keypoints.double().numpy() for one in (features0, features1))
    assert estimate.matrix is not None
    distances = _homography_distances if estimate.kind == "homography" else _epipolar_distances
    return torch.from_numpy(distances(points0, points1, estimate.matrix) <= max_distance_px)


def _epipolar_distances(
    points0: Float[np.ndarray, "m 2"],
    points1: Float[np.ndarray, "n 2"],
    fundamental: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "m n"]:
    """Return the larger distance from the epipolar line in both images; 0 where a point is an epipole."""
    in_image1 = np.abs(epipolar_lines(points0, fundamental) @ to_homogeneous(points1).T)
    in_image0 = np.abs(to_homogeneous(points0) @ epipolar_lines(points1, fundamental.T).T)
    return np.nan_to_num(np.maximum(in_image0, in_image1), nan=0.0)


def _homography_distances(
    points0: Float[np.ndarray, "m 2"], points1: Float[np.ndarray, "n 2"], homography: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "m n"]:
    """Return the larger transfer error of both images."""
    in_image1 = _distances(warp_points(points0, homography), points1)
    in_image0 = _distances(points0, warp_points(points1, np.linalg.inv(homography)))
    return np.maximum(in_image0, in_image1)


def _distances(
    points0: Float[np.ndarray, "m 2"], points1: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "m n"]:
    return np.linalg.norm(points0[:, None] - points1[None], axis=2)


def _reindex(
    matches: Int[np.ndarray, "k 2"], indices0: Int[Tensor, "m"], indices1: Int[Tensor, "n"]
) -> Int[Tensor, "l 2"]:
    """Return the matches between selected keypoints, with their indices among these."""
    columns = []
    for column, indices in zip(matches.T, (indices0, indices1), strict=True):
        position = {int(index): place for place, index in enumerate(indices)}
        columns.append([position.get(int(index), -1) for index in column])
    reindexed = torch.tensor(columns, dtype=torch.int64, device="cpu").reshape(2, -1).T
    return reindexed[(reindexed >= 0).all(1)]


def _hold_out(names: AbstractSet[str]) -> frozenset[str]:
    """Choose the images of some folders, or some images if there is one folder, by the hash of their names."""
    folders = {folder_of(name) for name in names}
    if len(folders) == 1:
        return frozenset(_choose(names))
    chosen = _choose(folders)
    return frozenset(name for name in names if folder_of(name) in chosen)


def _choose(names: AbstractSet[str]) -> set[str]:
    distinct = sorted(names, key=text_digest)
    return set(distinct[: max(1, round(HELD_OUT_FRACTION * len(distinct)))])
