"""Multiple-view geometry of points, lines and poses, shared by estimation, metrics and visualization.

Pure NumPy, float64. Camera frames have z forward, x right, y down. `homography`, `fundamental` and `essential` map
image 0 to image 1: p1 ~ H p0, p1^T F p0 = 0, and x1^T E x0 = 0 for normalized coordinates (plane z = 1).

Source: Hartley and Zisserman, Multiple View Geometry, 2nd edition, chapters 2, 6 and 9.
"""

import numpy as np
from jaxtyping import Float


def to_homogeneous(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
    """Append a coordinate of 1: (x, y) -> (x, y, 1)."""
    return np.column_stack([points.astype(np.float64), np.ones(len(points))])


def warp_points(
    points: Float[np.ndarray, "n 2"], homography: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "n 2"]:
    """Apply a homography to points.

    Args:
        points: Points (x, y) in px.
        homography: Homography H with p' ~ H p.

    Returns:
        Warped points (x, y) in px; (inf, inf) for points that are mapped to infinity.
    """
    projected = to_homogeneous(points) @ homography.T
    with np.errstate(divide="ignore", invalid="ignore"):
        warped = projected[:, :2] / projected[:, 2:]
    warped[projected[:, 2] == 0] = np.inf
    return warped


def transfer_errors(
    points0: Float[np.ndarray, "n 2"],
    points1: Float[np.ndarray, "n 2"],
    homography: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "n"]:
    """Transfer error in image 1: distance between H p0 and p1, in px; inf for points mapped to infinity."""
    return np.linalg.norm(warp_points(points0, homography) - points1, axis=1)


def cross_matrix(vector: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Return the skew-symmetric matrix [v]x with [v]x w = v x w."""
    x, y, z = vector.astype(np.float64)
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def invert_pose(cam1_from_cam0: Float[np.ndarray, "3 4"]) -> Float[np.ndarray, "3 4"]:
    """Return cam0_from_cam1."""
    R, t = cam1_from_cam0[:, :3], cam1_from_cam0[:, 3]
    return np.column_stack([R.T, -R.T @ t])


def compose_poses(
    outer: Float[np.ndarray, "3 4"], inner: Float[np.ndarray, "3 4"]
) -> Float[np.ndarray, "3 4"]:
    """Compose c_from_b (outer) and b_from_a (inner) to c_from_a."""
    R, t = outer[:, :3], outer[:, 3]
    return np.column_stack([R @ inner[:, :3], R @ inner[:, 3] + t])


def relative_pose(
    cam0_from_world: Float[np.ndarray, "3 4"], cam1_from_world: Float[np.ndarray, "3 4"]
) -> Float[np.ndarray, "3 4"]:
    """Return cam1_from_cam0 of two cameras with poses in the same world frame."""
    return compose_poses(cam1_from_world, invert_pose(cam0_from_world))


def essential_from_pose(cam1_from_cam0: Float[np.ndarray, "3 4"]) -> Float[np.ndarray, "3 3"]:
    """Return E = [t]x R, for normalized coordinates."""
    return cross_matrix(cam1_from_cam0[:, 3]) @ cam1_from_cam0[:, :3]


def fundamental_from_essential(
    essential: Float[np.ndarray, "3 3"],
    intrinsics0: Float[np.ndarray, "3 3"],
    intrinsics1: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "3 3"]:
    """Return F = K1^-T E K0^-1, for undistorted pixels."""
    return np.linalg.inv(intrinsics1).T @ essential @ np.linalg.inv(intrinsics0)


def normalize_points(
    points: Float[np.ndarray, "n 2"], intrinsics: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "n 2"]:
    """Convert undistorted pixels to normalized coordinates (plane z = 1)."""
    return warp_points(points, np.linalg.inv(intrinsics))


def epipolar_lines(
    points0: Float[np.ndarray, "n 2"], fundamental: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "n 3"]:
    """Compute the epipolar lines a x + b y + c = 0 in image 1 of points of image 0; pass F^T for the reverse.

    Returns:
        Lines (a, b, c) with a^2 + b^2 = 1, so that a x + b y + c is a distance; NaN if the point is the epipole.
    """
    lines = to_homogeneous(points0) @ fundamental.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return lines / np.linalg.norm(lines[:, :2], axis=1, keepdims=True)


def epipolar_distances(
    points0: Float[np.ndarray, "n 2"],
    points1: Float[np.ndarray, "n 2"],
    fundamental: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "n 2"]:
    """Compute the distances of both points of each match from the other point's epipolar line.

    Args:
        points0: Points of image 0: (x, y) in px with F, or normalized with E.
        points1: Corresponding points of image 1, in the same unit.
        fundamental: F or E.

    Returns:
        Distance in image 0 and distance in image 1, in the unit of the points; inf if a point is the epipole, which
        has no epipolar line.
    """
    lines = (epipolar_lines(points1, fundamental.T), epipolar_lines(points0, fundamental))
    distances = [
        np.abs(np.sum(line * to_homogeneous(points), axis=1))
        for line, points in zip(lines, (points0, points1), strict=True)
    ]
    return np.nan_to_num(np.column_stack(distances), nan=np.inf, posinf=np.inf)


def sampson_distances(
    points0: Float[np.ndarray, "n 2"],
    points1: Float[np.ndarray, "n 2"],
    fundamental: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "n"]:
    """Compute the Sampson distance: the first-order approximation of the reprojection error.

    Args:
        points0: Points of image 0: (x, y) in px with F, or normalized with E.
        points1: Corresponding points of image 1, in the same unit.
        fundamental: F or E.

    Returns:
        Distances in the unit of the points, not squared; inf if both points are epipoles.

    Source: Hartley and Zisserman, equation 11.9.
    """
    lines1 = to_homogeneous(points0) @ fundamental.T
    lines0 = to_homogeneous(points1) @ fundamental
    residuals = np.abs(np.sum(to_homogeneous(points1) * lines1, axis=1))
    gradients = np.sqrt(np.sum(lines0[:, :2] ** 2, axis=1) + np.sum(lines1[:, :2] ** 2, axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gradients > 0, residuals / gradients, np.inf)
