"""Validation of the arguments of drawing functions, and their conversion to float64."""

from typing import TypeAlias

import numpy as np
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.types import describe

Values: TypeAlias = np.ndarray | Tensor
"""NumPy array or tensor on any device."""


def checked_pair(points0: Values, points1: Values) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of both images as float64, one row per match.

    Raises:
        InvalidInput: If shapes do not agree, or a value is not finite.
    """
    points0, points1 = checked_points("points0", points0), checked_points("points1", points1)
    if len(points0) != len(points1):
        raise InvalidInput(
            f"expected one row per match in points0 and points1, got {len(points0)} and {len(points1)} rows"
        )
    return points0, points1


def checked_points(name: str, points: Values | None) -> np.ndarray:
    """Return points as float64 of shape (k, 2); None is no points.

    Raises:
        InvalidInput: If the shape is wrong, or a value is not finite.
    """
    if points is None:
        return np.zeros((0, 2))
    array = as_float64(points)
    if array.ndim != 2 or array.shape[1] != 2:
        raise InvalidInput(f"{name}: expected points (x, y) of shape (k, 2), got {describe(points)}")
    return checked_finite(name, array)


def checked_scores(scores: Values | None, count: int) -> np.ndarray:
    """Return scores as float64 of shape (count,); None is a score of 1 for all matches.

    Raises:
        InvalidInput: If the shape is wrong, or a value is not finite.
    """
    if scores is None:
        return np.ones(count)
    array = as_float64(scores)
    if array.shape != (count,):
        raise InvalidInput(f"scores: expected shape ({count},), one per match, got {describe(scores)}")
    return checked_finite("scores", array)


def checked_mask(name: str, mask: Values, count: int) -> np.ndarray:
    """Return a mask as a bool array of shape (count,).

    Raises:
        InvalidInput: If the shape or dtype is wrong.
    """
    array = mask.detach().cpu().numpy() if isinstance(mask, Tensor) else mask
    if array.shape != (count,) or array.dtype != np.bool_:
        raise InvalidInput(f"{name}: expected {count} booleans, one per match, got {describe(mask)}")
    return array


def checked_matrix(name: str, matrix: Values) -> np.ndarray:
    """Return a matrix as float64 of shape (3, 3).

    Raises:
        InvalidInput: If the shape is wrong, a value is not finite, or all values are zero.
    """
    array = as_float64(matrix)
    if array.shape != (3, 3):
        raise InvalidInput(f"{name}: expected a matrix of shape (3, 3), got {describe(matrix)}")
    if not np.isfinite(array).all() or not array.any():
        raise InvalidInput(f"{name}: found NaN, infinite values or only zeros; check the estimate")
    return array


def checked_finite(name: str, array: np.ndarray) -> np.ndarray:
    """Return the array itself.

    Raises:
        InvalidInput: If a value is not finite.
    """
    if not np.isfinite(array).all():
        raise InvalidInput(f"{name}: found NaN or infinite values; remove those rows first")
    return array


def as_float64(values: Values) -> np.ndarray:
    """Return a contiguous float64 array on the CPU."""
    array = values.detach().cpu().double().numpy() if isinstance(values, Tensor) else values
    return np.ascontiguousarray(array, dtype=np.float64)
