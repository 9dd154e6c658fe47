"""Image retrieval: global descriptors (VLAD) aggregated from the local descriptors, without another network.

Each local descriptor is assigned to the nearest of some centroids, the residuals are summed per centroid, and each sum is
L2-normalized. The vectors are centered and projected to their principal components. The similarity of two images is the
dot product of their vectors.

Sources: Jégou et al., Aggregating Local Descriptors into a Compact Image Representation, CVPR 2010; the normalization per
centroid is from Arandjelović and Zisserman, All about VLAD, CVPR 2013.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Int32

from tiepoint.io.optional import import_optional

DescriptorReader: TypeAlias = Callable[[int], Float32[np.ndarray, "m d"]]
"""Returns the local descriptors (unit vectors) of an image by index; called again instead of keeping them in memory."""

CENTROIDS = 64
MIN_DESCRIPTORS_PER_CENTROID = 40
"""Minimum mean number of descriptors per centroid; with fewer descriptors there are fewer centroids."""

DIMENSIONS = 512
"""Dimension of the projected global descriptors (2 kB per image)."""

SAMPLED_IMAGES = 1000
SAMPLED_DESCRIPTORS = 400
"""Local descriptors per sampled image from which the centroids are learned; the projection is learned from the same images."""

BLOCK = 1024  # images that are added or searched together


def most_similar_images(
    read_descriptors: DescriptorReader, num_images: int, count: int, *, seed: int = 0
) -> Int32[np.ndarray, "n k"]:
    """Find the most similar other images of each image.

    Memory grows by 2 kB per image, on top of about 300 MB for the training sample.

    Args:
        read_descriptors: Reads the local descriptors of an image; called at most three times per image.
        num_images: Number of images.
        count: Number of neighbors per image.
        seed: Random seed of the training sample.

    Returns:
        Indices of the neighbors by decreasing similarity; rows are padded with -1 if there are not enough images. Images
        without local descriptors have no neighbors and are never neighbors.

    Raises:
        MissingDependency: If faiss is not installed.
    """
    index, has_descriptors = _build_index(read_descriptors, num_images, seed)
    neighbors = np.full((num_images, min(count, max(num_images - 1, 0))), -1, np.int32)
    if has_descriptors.any():
        found = _search_all(index, neighbors.shape[1])
        neighbors[has_descriptors, : found.shape[1]] = np.flatnonzero(has_descriptors)[found]
    return neighbors


def most_similar_to(
    query: int, read_descriptors: DescriptorReader, num_images: int, count: int, *, seed: int = 0
) -> Int32[np.ndarray, "k"]:
    """Find the most similar images of one image: a row of `most_similar_images` without the padding, in linear time.

    Args:
        query: Index of the query image.
        read_descriptors: Reads the local descriptors of an image; called at most three times per image.
        num_images: Number of images.
        count: Number of neighbors.
        seed: Random seed of the training sample.

    Raises:
        MissingDependency: If faiss is not installed.
    """
    index, has_descriptors = _build_index(read_descriptors, num_images, seed)
    if not has_descriptors[query]:
        return np.empty(0, np.int32)
    row = int(has_descriptors[:query].sum())
    (neighbors,) = _search(index, range(row, row + 1), min(count, index.ntotal - 1))
    return np.flatnonzero(has_descriptors)[neighbors].astype(np.int32)


def train_centroids(
    descriptors: Float32[np.ndarray, "n d"], centroids: int = CENTROIDS, *, seed: int = 0
) -> Float32[np.ndarray, "c d"]:
    """Cluster local descriptors by k-means.

    Args:
        descriptors: Local descriptors of the training sample.
        centroids: Maximum number of centroids; fewer with few descriptors.
        seed: Random seed of the initialization.

    Raises:
        MissingDependency: If faiss is not installed.
    """
    count, dimensions = descriptors.shape
    centroids = max(1, min(centroids, count // MIN_DESCRIPTORS_PER_CENTROID))
    no_limits = {"min_points_per_centroid": 1, "max_points_per_centroid": count}
    kmeans = require_faiss().Kmeans(dimensions, centroids, niter=25, seed=seed, **no_limits)
    kmeans.train(np.ascontiguousarray(descriptors))
    return kmeans.centroids


def vlad(
    descriptors: Float32[np.ndarray, "n d"], centroids: Float32[np.ndarray, "c d"]
) -> Float32[np.ndarray, "cd"]:
    """Aggregate the local descriptors of an image to one unit vector; zeros if there are none.

    Args:
        descriptors: Local descriptors of the image.
        centroids: Centroids from `train_centroids`.
    """
    nearest = np.argmax(descriptors @ centroids.T - 0.5 * (centroids**2).sum(axis=1), axis=1)
    residuals = np.zeros_like(centroids)
    np.add.at(residuals, nearest, descriptors - centroids[nearest])
    return _normalize(_normalize(residuals).reshape(1, -1))[0]


def _build_index(
    read_descriptors: DescriptorReader, num_images: int, seed: int
) -> tuple[Any, Bool[np.ndarray, "n"]]:
    """Return the faiss index of the global descriptors, and the mask of images that have local descriptors."""
    has_descriptors = np.zeros(num_images, bool)
    sampled = np.linspace(0, num_images - 1, min(num_images, SAMPLED_IMAGES)).astype(int).tolist()
    descriptors = _sample(map(read_descriptors, sampled), seed)
    if len(descriptors) == 0:
        return None, has_descriptors
    centroids = train_centroids(descriptors, seed=seed)
    mean, basis = _principal_components(
        np.stack([vlad(read_descriptors(image), centroids) for image in sampled])
    )
    index = require_faiss().IndexFlatIP(basis.shape[1])
    for block in _blocks(num_images):
        vectors = np.stack([vlad(read_descriptors(image), centroids) for image in block])
        has_descriptors[block.start : block.stop] = vectors.any(axis=1)
        index.add(_normalize((vectors - mean) @ basis)[vectors.any(axis=1)])
    return index, has_descriptors


def _sample(descriptors: Iterable[Float32[np.ndarray, "_ d"]], seed: int) -> Float32[np.ndarray, "n d"]:
    """Draw up to `SAMPLED_DESCRIPTORS` local descriptors of each image."""
    generator = np.random.default_rng(seed)
    samples = [each[generator.permutation(len(each))[:SAMPLED_DESCRIPTORS]] for each in descriptors]
    return np.concatenate([sample for sample in samples if len(sample)] or [np.empty((0, 1), np.float32)])


def _principal_components(
    vectors: Float32[np.ndarray, "n d"],
) -> tuple[Float32[np.ndarray, "d"], Float32[np.ndarray, "d p"]]:
    """Return the mean and the principal axes; few vectors span only few axes."""
    mean = vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(vectors - mean, full_matrices=False)
    return mean, np.ascontiguousarray(axes[: min(DIMENSIONS, max(1, len(vectors) - 1))].T)


def _search_all(index: Any, count: int) -> Int32[np.ndarray, "n k"]:
    """Return the positions in the index of the most similar other vectors of each vector."""
    found = [_search(index, block, min(count, index.ntotal - 1)) for block in _blocks(index.ntotal)]
    return np.concatenate(found)


def _search(index: Any, block: range, count: int) -> Int32[np.ndarray, "n k"]:
    _, found = index.search(index.reconstruct_n(block.start, len(block)), count + 1)
    is_self = found == np.arange(block.start, block.stop)[:, None]
    is_self[~is_self.any(axis=1), -1] = True  # more than `count` duplicates: drop the last one
    return found[~is_self].reshape(len(block), count).astype(np.int32)


def _blocks(num_images: int) -> list[range]:
    return [range(start, min(start + BLOCK, num_images)) for start in range(0, num_images, BLOCK)]


def _normalize(rows: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n d"]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def require_faiss() -> Any:
    """Return `faiss`.

    Raises:
        MissingDependency: If faiss is not installed.
    """
    return import_optional("faiss", purpose="image retrieval", install="faiss-cpu")
