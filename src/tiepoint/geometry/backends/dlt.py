"""The homography of all matches, weighted: direct linear transformation, no RANSAC."""

import numpy as np
from jaxtyping import Float

from tiepoint.geometry.backends.base import Model, Problem
from tiepoint.geometry.multiview import to_homogeneous, warp_points

MIN_RANK_RATIO = 1e-9
"""Between the second smallest and the largest singular value; below it more than one homography fits."""


def homography(problem: Problem) -> Model | None:
    """The homography of all matches, weighted by their scores."""
    H = weighted_dlt(problem.points0, problem.points1, problem.weights)
    return None if H is None else Model(H)


def weighted_dlt(
    points0: Float[np.ndarray, "k 2"], points1: Float[np.ndarray, "k 2"], weights: Float[np.ndarray, "k"]
) -> Float[np.ndarray, "3 3"] | None:
    """The homography that minimizes the weighted sum of squared algebraic errors.

    Args:
        points0: (x, y) in any unit.
        points1: where they go.
        weights: at least 0, of the squared errors.

    Returns:
        H with p1 ~ H p0, of any scale; None where the matches determine no homography or more than one.

    Source: Hartley and Zisserman, 2nd edition, algorithm 4.2 (normalized DLT).
    """
    used = weights > 0
    if used.sum() < 4:
        return None
    N0, N1 = _normalization(points0[used]), _normalization(points1[used])
    if N0 is None or N1 is None:
        return None
    equations = _equations(warp_points(points0[used], N0), warp_points(points1[used], N1))
    triangle = np.linalg.qr(equations * np.sqrt(np.repeat(weights[used], 2))[:, None], mode="r")
    _, singular, rows = np.linalg.svd(triangle)
    if singular[7] <= MIN_RANK_RATIO * singular[0]:
        return None
    return np.linalg.inv(N1) @ rows[8].reshape(3, 3) @ N0


def _normalization(points: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "3 3"] | None:
    """The similarity that moves the points' mean to the origin and their mean distance from it to sqrt(2)."""
    center = points.mean(axis=0)
    distance = np.linalg.norm(points - center, axis=1).mean()
    if distance == 0:
        return None
    scale = np.sqrt(2) / distance
    return np.array([[scale, 0, -scale * center[0]], [0, scale, -scale * center[1]], [0, 0, 1]])


def _equations(points0: Float[np.ndarray, "k 2"], points1: Float[np.ndarray, "k 2"]) -> np.ndarray:
    """(2k, 9): two rows a match, A h = 0 for the homography's nine entries h."""
    p0, zeros = to_homogeneous(points0), np.zeros((len(points0), 3))
    x, y = points1[:, :1], points1[:, 1:]
    rows = np.stack([np.hstack([p0, zeros, -x * p0]), np.hstack([zeros, p0, -y * p0])], axis=1)
    return rows.reshape(-1, 9)
