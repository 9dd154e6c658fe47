"""Homography of all matches by the weighted direct linear transform (DLT), without RANSAC."""

import numpy as np
from jaxtyping import Float

from tiepoint.geometry.backends.base import Model, Problem
from tiepoint.geometry.multiview import to_homogeneous, warp_points

# Minimum ratio of the second-smallest and largest singular values; below it, the homography is under-determined
MIN_RANK_RATIO = 1e-9


def homography(problem: Problem) -> Model | None:
    """Estimate the homography of all matches, weighted by their scores."""
    H = weighted_dlt(problem.points0, problem.points1, problem.weights)
    return None if H is None else Model(H)


def weighted_dlt(
    points0: Float[np.ndarray, "k 2"], points1: Float[np.ndarray, "k 2"], weights: Float[np.ndarray, "k"]
) -> Float[np.ndarray, "3 3"] | None:
    """Minimize the weighted sum of squared algebraic errors.

    Args:
        points0: Points (x, y) of image 0, in any unit.
        points1: Corresponding points of image 1.
        weights: Weights of the squared errors, at least 0.

    Returns:
        H with p1 ~ H p0, up to scale; None if the matches are degenerate.

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
    """Similarity transform to a centroid at the origin and a mean distance of sqrt(2) from it."""
    center = points.mean(axis=0)
    distance = np.linalg.norm(points - center, axis=1).mean()
    if distance == 0:
        return None
    scale = np.sqrt(2) / distance
    return np.array([[scale, 0, -scale * center[0]], [0, scale, -scale * center[1]], [0, 0, 1]])


def _equations(points0: Float[np.ndarray, "k 2"], points1: Float[np.ndarray, "k 2"]) -> np.ndarray:
    """Matrix A (2k, 9) with A h = 0 for the nine entries h of the homography; two rows per match."""
    p0, zeros = to_homogeneous(points0), np.zeros((len(points0), 3))
    x, y = points1[:, :1], points1[:, 1:]
    rows = np.stack([np.hstack([p0, zeros, -x * p0]), np.hstack([zeros, p0, -y * p0])], axis=1)
    return rows.reshape(-1, 9)
