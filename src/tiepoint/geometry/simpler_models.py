"""Simpler models that may explain the inliers: a line, a rotation, a homography. Robust, deterministic, and cheap.

They are fitted to inliers, so that few samples are sufficient wherever a simpler model matters.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tiepoint.geometry.backends.poselib import homography_of_inliers
from tiepoint.geometry.multiview import to_homogeneous, transfer_errors

# Samples per line or rotation: one of them is free of outliers if half of the points support it (probability 1 - 1e-8)
NUM_SAMPLES = 64

# Refinements of a rotation on its inliers
NUM_REFINEMENTS = 5

# Maximum number of matches to which a simpler model is fitted; it is then compared with all of them
MAX_FITTED = 300

# Iterations for a homography: sufficient if it explains half of the inliers (probability 0.998)
HOMOGRAPHY_ITERATIONS = 100


class Line(NamedTuple):
    """A line through `point` with a unit normal."""

    point: Float[np.ndarray, "2"]
    normal: Float[np.ndarray, "2"]

    def distances(self, points: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "k"]:
        """Return the signed distances of points."""
        return (points - self.point) @ self.normal


def fit_line(points: Float[np.ndarray, "k 2"], max_distance: float) -> Line | None:
    """Return the line with the largest support; None if it is not that of half of the points.

    Args:
        points: Points (x, y).
        max_distance: Distance up to which a point supports a line, in the unit of the points.
    """
    some = _subset(points)
    first, second = _samples(len(some))
    directions = some[second] - some[first]
    lengths = np.hypot(directions[:, 0], directions[:, 1])
    is_line = lengths > max_distance  # closer points do not determine a direction
    if not is_line.any():
        return Line(points.mean(axis=0), np.array([1.0, 0.0]))
    normals = (directions[is_line] / lengths[is_line, None])[:, ::-1] * (-1, 1)
    anchors = some[first][is_line]
    supports = (np.abs(some @ normals.T - np.sum(anchors * normals, axis=1)) <= max_distance).sum(axis=0)
    best = int(np.argmax(supports))
    if 2 * supports[best] < len(some):
        return None
    return _refined(Line(anchors[best], normals[best]), points, max_distance)


def fit_rotation(
    rays0: Float[np.ndarray, "k 3"], rays1: Float[np.ndarray, "k 3"], max_angle: float
) -> Float[np.ndarray, "3 3"]:
    """Estimate the rotation R with r1 = R r0 that most rays support.

    Args:
        rays0: Unit vectors to the points of image 0, in the frame of camera 0.
        rays1: Unit vectors to the points of image 1, in the frame of camera 1.
        max_angle: Angle in rad up to which a pair of rays supports a rotation.
    """
    some0, some1 = _subset(rays0), _subset(rays1)
    samples = np.stack(_samples(len(some0)), axis=1)
    candidates = _kabsch(some0[samples], some1[samples])
    cosines = np.sum((candidates @ some0.T) * some1.T, axis=1)  # (s, 3, k) -> (s, k)
    best = candidates[int(np.argmax((cosines >= np.cos(max_angle)).sum(axis=1)))]
    for _ in range(NUM_REFINEMENTS):
        inliers = np.sum((rays0 @ best.T) * rays1, axis=1) >= np.cos(max_angle)
        if inliers.sum() < 2:
            break
        best = _kabsch(rays0[None, inliers], rays1[None, inliers])[0]
    return best


def fit_homography(
    points0: Float[np.ndarray, "k 2"], points1: Float[np.ndarray, "k 2"], max_error_px: float
) -> Float[np.ndarray, "3 3"] | None:
    """Estimate the homography with the largest support among inliers of another model; a mirrored one if no other."""
    some0, some1 = _subset(points0), _subset(points1)
    H = _homography(some0, some1, max_error_px, 1.0)
    if H is not None and 2 * (transfer_errors(some0, some1, H) <= max_error_px).sum() >= len(some0):
        return H
    mirrored = _homography(some0, some1, max_error_px, -1.0)
    return H if mirrored is None else mirrored


def symmetric_errors(
    points0: Float[np.ndarray, "k 2"], points1: Float[np.ndarray, "k 2"], homography: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "k"]:
    """Return errors of a homography that distribute the distance over both images, as the Sampson error does.

    They are comparable with the errors of an epipolar geometry: with scale s and transfer error d, d / sqrt(1 + s^2).
    """
    forward = transfer_errors(points0, points1, homography)
    backward = transfer_errors(points1, points0, np.linalg.inv(homography))
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = forward * backward / np.hypot(forward, backward)
    return np.where((forward == 0) | (backward == 0), 0.0, np.nan_to_num(errors, nan=np.inf))


def unit_rays(
    points: Float[np.ndarray, "k 2"], intrinsics: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "k 3"]:
    """Return the unit vectors to points in the camera frame."""
    rays = to_homogeneous(points) @ np.linalg.inv(intrinsics).T
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def _homography(
    points0: Float[np.ndarray, "k 2"], points1: Float[np.ndarray, "k 2"], max_error_px: float, mirror: float
) -> Float[np.ndarray, "3 3"] | None:
    H = homography_of_inliers(points0, points1 * (mirror, 1.0), max_error_px, HOMOGRAPHY_ITERATIONS)
    return None if H is None else np.diag([mirror, 1.0, 1.0]) @ H


def _subset(rows: np.ndarray) -> np.ndarray:
    """At most `MAX_FITTED` rows, evenly spaced."""
    return rows[:: -(-len(rows) // MAX_FITTED)]


def _samples(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of pairs of distinct points: all pairs if they are few, else random ones."""
    if count * (count - 1) // 2 <= NUM_SAMPLES:
        return np.triu_indices(count, 1)
    rng = np.random.default_rng(0)
    first = rng.integers(0, count, NUM_SAMPLES)
    return first, (first + rng.integers(1, count, NUM_SAMPLES)) % count


def _refined(line: Line, points: Float[np.ndarray, "k 2"], max_distance: float) -> Line:
    """Fit a line to its support twice (total least squares)."""
    for _ in range(2):
        support = points[np.abs(line.distances(points)) <= max_distance]
        if len(support) < 2:
            break
        line = Line(support.mean(axis=0), np.linalg.eigh(np.cov(support.T))[1][:, 0])
    return line


def _kabsch(
    rays0: Float[np.ndarray, "s n 3"], rays1: Float[np.ndarray, "s n 3"]
) -> Float[np.ndarray, "s 3 3"]:
    """Rotations that minimize the squared distances of s sets of n rays."""
    U, _, Vt = np.linalg.svd(np.matmul(rays1.transpose(0, 2, 1), rays0))
    signs = np.ones((len(U), 3))
    signs[:, 2] = np.linalg.det(U @ Vt)
    return U @ (signs[:, :, None] * Vt)
