"""Photographs that look alike, by the descriptors that matching needs anyway: no network of its own.

The descriptors of a photograph are pooled to one vector, its VLAD: every descriptor goes to the nearest of some
centroids, the differences are summed up by centroid, and every sum is scaled to length 1. The vectors are centerd and
projected to where they differ most. Photographs that look alike have a large product.

Sources: Jégou et al., Aggregating Local Descriptors into a Compact Image Representation, CVPR 2010; the scaling by
centroid is from Arandjelović and Zisserman, All about VLAD, CVPR 2013.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Int32

from tiepoint.errors import MissingDependency

DescriptorReader: TypeAlias = Callable[[int], Float32[np.ndarray, "m d"]]
"""Index of a photograph -> its descriptors, unit vectors; read again when they are needed again, so that none are kept."""

CENTROIDS = 64
MIN_DESCRIPTORS_PER_CENTROID = 40
"""A centroid, in the mean; where there are not so many, there are fewer centroids."""

DIMENSIONS = 512
"""Of the projected vectors: 2 kB a photograph."""

SAMPLED_IMAGES = 1000
SAMPLED_DESCRIPTORS = 400
"""A photograph: what the centroids are learned from. The projection is learned from the same photographs."""

BLOCK = 1024  # photographs that are added, or looked up, together


def most_similar_images(
    descriptors_of: DescriptorReader, images: int, count: int, *, seed: int = 0
) -> Int32[np.ndarray, "n k"]:
    """For every photograph the indices of those `count` others that look most like it, the most alike first.

    Memory grows with the number of photographs alone: 2 kB each, beside some 300 MB to learn from.

    Args:
        descriptors_of: reads the descriptors of a photograph; asked for each of them three times at most.
        images: number of photographs.
        count: of neighbors; where there are not so many, rows end in -1. A photograph without descriptors has no
            neighbors, and is none.
        seed: decides which descriptors the centroids are learned from.

    Raises:
        MissingDependency: faiss isn't installed.
    """
    index, described = _index(descriptors_of, images, seed)
    found = np.full((images, min(count, max(images - 1, 0))), -1, np.int32)
    if described.any():
        neighbors = _neighbors(index, found.shape[1])
        found[described, : neighbors.shape[1]] = np.flatnonzero(described)[neighbors]
    return found


def most_similar_to(
    query: int, descriptors_of: DescriptorReader, images: int, count: int, *, seed: int = 0
) -> Int32[np.ndarray, "k"]:
    """One row of `most_similar_images`, without -1: time grows with the number of photographs, not with its square.

    Args:
        query: index of the photograph whose neighbors are wanted.
        descriptors_of: as for `most_similar_images`, as all that follow.
        images: likewise.
        count: likewise.
        seed: likewise.

    Raises:
        MissingDependency: faiss isn't installed.
    """
    index, described = _index(descriptors_of, images, seed)
    if not described[query]:
        return np.empty(0, np.int32)
    place = int(described[:query].sum())
    (neighbors,) = _search(index, range(place, place + 1), min(count, index.ntotal - 1))
    return np.flatnonzero(described)[neighbors].astype(np.int32)


def train_centroids(
    descriptors: Float32[np.ndarray, "n d"], centroids: int = CENTROIDS, *, seed: int = 0
) -> Float32[np.ndarray, "c d"]:
    """K-means; fewer centroids where there are few descriptors.

    Raises:
        MissingDependency: faiss isn't installed.
    """
    count, dimensions = descriptors.shape
    centroids = max(1, min(centroids, count // MIN_DESCRIPTORS_PER_CENTROID))
    any_number = {"min_points_per_centroid": 1, "max_points_per_centroid": count}
    kmeans = require_faiss().Kmeans(dimensions, centroids, niter=25, seed=seed, **any_number)
    kmeans.train(np.ascontiguousarray(descriptors))
    return kmeans.centroids


def vlad(
    descriptors: Float32[np.ndarray, "n d"], centroids: Float32[np.ndarray, "c d"]
) -> Float32[np.ndarray, "cd"]:
    """One vector of length 1 for all descriptors of a photograph; zeros where there are none."""
    nearest = np.argmax(descriptors @ centroids.T - 0.5 * (centroids**2).sum(axis=1), axis=1)
    sums = np.zeros_like(centroids)
    np.add.at(sums, nearest, descriptors - centroids[nearest])
    return _unit(_unit(sums).reshape(1, -1))[0]


def _index(descriptors_of: DescriptorReader, images: int, seed: int) -> tuple[Any, Bool[np.ndarray, "n"]]:
    """The projected vectors of all photographs that have descriptors, in order; and which have."""
    described = np.zeros(images, bool)
    sampled = np.linspace(0, images - 1, min(images, SAMPLED_IMAGES)).astype(int).tolist()
    descriptors = _sample(map(descriptors_of, sampled), seed)
    if len(descriptors) == 0:
        return None, described
    centroids = train_centroids(descriptors, seed=seed)
    mean, basis = _projection(np.stack([vlad(descriptors_of(image), centroids) for image in sampled]))
    index = require_faiss().IndexFlatIP(basis.shape[1])
    for block in _blocks(images):
        pooled = np.stack([vlad(descriptors_of(image), centroids) for image in block])
        described[block.start : block.stop] = pooled.any(axis=1)
        index.add(_unit((pooled - mean) @ basis)[pooled.any(axis=1)])
    return index, described


def _sample(photographs: Iterable[Float32[np.ndarray, "_ d"]], seed: int) -> Float32[np.ndarray, "n d"]:
    random = np.random.default_rng(seed)
    some = [
        descriptors[random.permutation(len(descriptors))[:SAMPLED_DESCRIPTORS]] for descriptors in photographs
    ]
    return np.concatenate([part for part in some if len(part)] or [np.empty((0, 1), np.float32)])


def _projection(
    vectors: Float32[np.ndarray, "n d"],
) -> tuple[Float32[np.ndarray, "d"], Float32[np.ndarray, "d p"]]:
    """Mean and principal axes, the longest first; few vectors have few, and lose nothing."""
    mean = vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(vectors - mean, full_matrices=False)
    return mean, np.ascontiguousarray(axes[: min(DIMENSIONS, max(1, len(vectors) - 1))].T)


def _neighbors(index: Any, count: int) -> Int32[np.ndarray, "n k"]:
    """For all vectors of an index the places of the others with the largest products."""
    found = [_search(index, block, min(count, index.ntotal - 1)) for block in _blocks(index.ntotal)]
    return np.concatenate(found)


def _search(index: Any, block: range, count: int) -> Int32[np.ndarray, "n k"]:
    _, found = index.search(index.reconstruct_n(block.start, len(block)), count + 1)
    own = found == np.arange(block.start, block.stop)[:, None]
    own[~own.any(axis=1), -1] = True  # where so many others are equal to it, the last one makes room
    return found[~own].reshape(len(block), count).astype(np.int32)


def _blocks(images: int) -> list[range]:
    return [range(start, min(start + BLOCK, images)) for start in range(0, images, BLOCK)]


def _unit(rows: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n d"]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def require_faiss() -> Any:
    """Faiss, or MissingDependency with the pip command."""
    try:
        import faiss
    except ImportError as error:
        raise MissingDependency(
            "retrieval looks for nearest neighbors with faiss, which isn't installed; "
            "run: python -m pip install faiss-cpu"
        ) from error
    return faiss
