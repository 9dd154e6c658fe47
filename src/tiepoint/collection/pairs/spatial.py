"""Neighbors on the Earth: photographs that were taken near each other, by the GPS data in their headers."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int32

from tiepoint.image.exif import GPSPosition

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the Earth (IUGG)."""

ENTRIES = 4_000_000  # distances that are looked at together


def distance_m(position0: GPSPosition, position1: GPSPosition) -> float:
    """The shortest way over a spherical Earth, in m; within 0.6 % of the true way.

    Source: the haversine formula; R. W. Sinnott, Sky and Telescope 68 (1984).
    """
    (lat0, lon0), (lat1, lon1) = np.radians(position0), np.radians(position1)
    haversine = np.sin((lat1 - lat0) / 2) ** 2 + np.cos(lat0) * np.cos(lat1) * np.sin((lon1 - lon0) / 2) ** 2
    return float(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(min(1.0, haversine))))


def nearest_positions(positions: Sequence[GPSPosition], count: int) -> Int32[np.ndarray, "n k"]:
    """For every position the indices of the `count` nearest others, the nearest first.

    Chords through the Earth, which haversines measure, are in the order of the ways over it. Memory grows with the
    number of positions, time with its square: a minute or two for 100,000.

    Args:
        positions: in degrees.
        count: of neighbors; fewer where there are not so many others. Ties go to the lower index.
    """
    points = _on_sphere(positions)
    count = min(count, max(len(points) - 1, 0))
    found = np.empty((len(points), count), np.int32)
    rows = max(1, ENTRIES // max(1, len(points)))
    for start in range(0, len(points), rows):
        block = slice(start, start + rows)
        squared = _squared_chords(points[block], points)
        np.fill_diagonal(squared[:, start:], np.inf)  # nothing is its own neighbor
        found[block] = [_smallest(row, count) for row in squared]
    return found


def _on_sphere(positions: Sequence[GPSPosition]) -> Float64[np.ndarray, "n 3"]:
    latitude, longitude = np.radians(np.array(positions, float).reshape(-1, 2)).T
    level = np.cos(latitude)
    return np.stack([level * np.cos(longitude), level * np.sin(longitude), np.sin(latitude)], axis=1)


def _squared_chords(
    points0: Float64[np.ndarray, "m 3"], points1: Float64[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "m n"]:
    """By differences, axis by axis: a product of matrices would lose everything below 10 cm."""
    squared = np.zeros((len(points0), len(points1)))
    for axis in range(3):
        squared += (points0[:, axis, None] - points1[None, :, axis]) ** 2
    return squared


def _smallest(values: Float64[np.ndarray, "n"], count: int) -> np.ndarray:
    """Indices of the smallest values, by rising value and then index."""
    if count == 0:
        return np.empty(0, np.intp)
    limit = np.partition(values, count - 1)[count - 1]
    candidates = np.flatnonzero(values <= limit)
    return candidates[np.argsort(values[candidates], kind="stable")][:count]
