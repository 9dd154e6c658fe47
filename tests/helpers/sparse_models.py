"""Points of a sparse model projected by the rules of a file format."""

import numpy as np

from tiepoint.collection.export.sparse_model import SparseModel

MAX_ERROR_PX = 0.1  # positions of synthetic observations are exact, Bundler's have four digits


def distort(normalized: np.ndarray, k1: float, k2: float = 0.0) -> np.ndarray:
    squared = (normalized**2).sum(axis=-1, keepdims=True)
    return normalized * (1 + k1 * squared + k2 * squared**2)


def observations(model: SparseModel, image: int) -> tuple[np.ndarray, np.ndarray]:
    """Points that an image sees, and where."""
    seen = [
        (point, key) for point, track in enumerate(model.tracks) for i, key in track.tolist() if i == image
    ]
    points, keys = map(list, zip(*seen, strict=True))
    return model.points[points], model.images[image].points2d[keys]
