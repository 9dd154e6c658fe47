"""Spatial pairs: the nearest images by the GPS positions in their EXIF data."""

from collections.abc import Sequence
from types import ModuleType

import numpy as np
from jaxtyping import Float64, Int32

from tiepoint.image.exif import GPSPosition
from tiepoint.io.optional import import_optional

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the Earth in m (IUGG)."""

ROUNDING = 1e-9
"""Relative tolerance of the search radius, so that positions at exactly the same distance are all candidates."""

POSITIONS_PER_BLOCK = 1024
"""Number of positions whose candidates are in memory together."""


def distance_m(position0: GPSPosition, position1: GPSPosition) -> float:
    """Return the great-circle distance on a spherical Earth in m, accurate to 0.6 %.

    Args:
        position0: Latitude and longitude of point 0 in degrees.
        position1: Latitude and longitude of point 1 in degrees.

    Source: haversine formula; R. W. Sinnott, Sky and Telescope 68 (1984).
    """
    (lat0, lon0), (lat1, lon1) = np.radians(position0[:2]), np.radians(position1[:2])
    haversine = np.sin((lat1 - lat0) / 2) ** 2 + np.cos(lat0) * np.cos(lat1) * np.sin((lon1 - lon0) / 2) ** 2
    return float(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(min(1.0, haversine))))


def nearest_positions(positions: Sequence[GPSPosition], count: int) -> Int32[np.ndarray, "n k"]:
    """Find the nearest other positions of each position with a k-d tree.

    The tree holds points on the unit sphere; straight distances have the same order as great-circle distances.

    Args:
        positions: Latitude and longitude in degrees.
        count: Number of neighbors; fewer if there are not enough other positions.

    Returns:
        Indices of the neighbors by increasing distance; ties go to the lower index.

    Raises:
        MissingDependency: If SciPy is not installed.
    """
    points = _unit_vectors(positions)
    count = min(count, max(len(points) - 1, 0))
    neighbors = np.empty((len(points), count), np.int32)
    if count == 0:
        return neighbors
    tree = require_scipy().cKDTree(points)
    for start in range(0, len(points), POSITIONS_PER_BLOCK):
        block = points[start : start + POSITIONS_PER_BLOCK]
        distances, _ = tree.query(block, k=count + 1)  # each point finds itself or a duplicate
        candidates = tree.query_ball_point(block, distances[:, -1] * (1 + ROUNDING))
        for index, found in enumerate(candidates, start):
            neighbors[index] = _nearest(points, index, np.array(found), count)
    return neighbors


def require_scipy() -> ModuleType:
    """Return `scipy.spatial`.

    Raises:
        MissingDependency: If SciPy is not installed.
    """
    return import_optional("scipy.spatial", purpose="spatial pair selection", install="tiepoint[collection]")


def _unit_vectors(positions: Sequence[GPSPosition]) -> Float64[np.ndarray, "n 3"]:
    latitude, longitude = np.radians(
        np.array([position[:2] for position in positions], float).reshape(-1, 2)
    ).T
    radius = np.cos(latitude)
    return np.stack([radius * np.cos(longitude), radius * np.sin(longitude), np.sin(latitude)], axis=1)


def _nearest(
    points: Float64[np.ndarray, "n 3"], index: int, candidates: np.ndarray, count: int
) -> np.ndarray:
    """Return the `count` nearest candidates of a point by distance, then index."""
    candidates = np.sort(candidates[candidates != index])
    squared = ((points[candidates] - points[index]) ** 2).T
    order = np.argsort(squared[0] + squared[1] + squared[2], kind="stable")
    return candidates[order[:count]]
