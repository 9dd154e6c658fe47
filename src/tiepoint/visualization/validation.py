"""What the drawing functions are given, checked and turned into float64 arrays."""

from typing import TypeAlias

import numpy as np
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.types import describe

Values: TypeAlias = np.ndarray | Tensor
"""Numbers as NumPy or torch has them, on any device."""


def checked_pair(points0: Values, points1: Values) -> tuple[np.ndarray, np.ndarray]:
    """Points of both images, one row a match.

    Raises:
        InvalidInput: a wrong shape, values that aren't finite, or not as many rows in both.
    """
    points0, points1 = checked_points("points0", points0), checked_points("points1", points1)
    if len(points0) != len(points1):
        raise InvalidInput(
            f"points0 has {len(points0)} rows, points1 has {len(points1)}; pass one row a match in both"
        )
    return points0, points1


def checked_points(name: str, points: Values | None) -> np.ndarray:
    """(k, 2) float64; None is no points.

    Raises:
        InvalidInput: a wrong shape, or values that aren't finite.
    """
    if points is None:
        return np.zeros((0, 2))
    array = as_float64(points)
    if array.ndim != 2 or array.shape[1] != 2:
        raise InvalidInput(f"{name} must be (x, y) rows of shape (k, 2), but came as {describe(points)}")
    return checked_finite(name, array)


def checked_scores(scores: Values | None, count: int) -> np.ndarray:
    """(count,) float64; None is 1 for every match.

    Raises:
        InvalidInput: a wrong shape, or values that aren't finite.
    """
    if scores is None:
        return np.ones(count)
    array = as_float64(scores)
    if array.shape != (count,):
        raise InvalidInput(f"scores must have shape ({count},), one a match, but came as {describe(scores)}")
    return checked_finite("scores", array)


def checked_mask(name: str, mask: Values, count: int) -> np.ndarray:
    """(count,) bool.

    Raises:
        InvalidInput: another shape or dtype.
    """
    array = mask.detach().cpu().numpy() if isinstance(mask, Tensor) else mask
    if array.shape != (count,) or array.dtype != np.bool_:
        raise InvalidInput(f"{name} must be {count} booleans, one a match, but came as {describe(mask)}")
    return array


def checked_matrix(name: str, matrix: Values) -> np.ndarray:
    """(3, 3) float64.

    Raises:
        InvalidInput: another shape, values that aren't finite, or nothing but zeros.
    """
    array = as_float64(matrix)
    if array.shape != (3, 3):
        raise InvalidInput(f"{name} must be a matrix of shape (3, 3), but came as {describe(matrix)}")
    if not np.isfinite(array).all() or not array.any():
        raise InvalidInput(f"{name} holds NaN, infinite values or nothing but zeros; was it estimated?")
    return array


def checked_finite(name: str, array: np.ndarray) -> np.ndarray:
    """The array itself.

    Raises:
        InvalidInput: values that aren't finite.
    """
    if not np.isfinite(array).all():
        raise InvalidInput(f"{name} hold NaN or infinite values; remove those rows before drawing")
    return array


def as_float64(values: Values) -> np.ndarray:
    """A contiguous float64 array of either kind, off any device."""
    array = values.detach().cpu().double().numpy() if isinstance(values, Tensor) else values
    return np.ascontiguousarray(array, dtype=np.float64)


def best(scores: np.ndarray, max_lines: int | None) -> np.ndarray:
    """Indices of the highest scores, rising, so that the best lines are drawn last and lie on top.

    Raises:
        InvalidInput: a negative max_lines.
    """
    if max_lines is not None and max_lines < 0:
        raise InvalidInput(f"max_lines must be 0 or more, or None for all, but is {max_lines}")
    return np.argsort(-scores, kind="stable")[:max_lines][::-1]
