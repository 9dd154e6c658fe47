"""Relative poses of a plane: its homography has two solutions, and the visibility of the points may not decide."""

import math

import numpy as np
from jaxtyping import Float

from tiepoint.geometry.metrics import pose_error_deg

# Singular values of a homography this close to each other mean that there is no translation
MIN_TRANSLATION = 1e-9

# Minimum angle in degrees between two poses of a plane that are different
MIN_ANGLE_DEG = 5.0


def other_pose(
    homography: Float[np.ndarray, "3 3"], cam1_from_cam0: Float[np.ndarray, "3 4"]
) -> Float[np.ndarray, "3 4"] | None:
    """Return the pose of a plane that is not the estimated one, up to the sign of its translation.

    Args:
        homography: Homography of normalized coordinates.
        cam1_from_cam0: Estimated pose, one of the two solutions.

    Returns:
        [R | t]; None if both solutions are the same within 5 degrees: motion along the normal of the plane.
    """
    poses = [pose for pose, _ in poses_from_homography(homography)]
    if len(poses) < 2 or pose_error_deg(poses[0], poses[1]) < MIN_ANGLE_DEG:
        return None
    return max(poses, key=lambda pose: pose_error_deg(pose, cam1_from_cam0))


def poses_from_homography(
    homography: Float[np.ndarray, "3 3"],
) -> list[tuple[Float[np.ndarray, "3 4"], Float[np.ndarray, "3"]]]:
    """Decompose H = R + t n^T of normalized coordinates into its two solutions, up to the sign of t and n.

    Args:
        homography: Homography of normalized coordinates, x1 ~ H x0, up to scale.

    Returns:
        Pairs of [R | t] and the normal n of the plane in the frame of camera 0, with t in units of the plane's
        distance; empty for a pure rotation.

    Source: Ma, Soatto, Kosecka and Sastry, An Invitation to 3-D Vision (2004), section 5.3.3.
    """
    orientation = 1.0 if np.linalg.det(homography) > 0 else -1.0
    H = orientation / np.linalg.svd(homography, compute_uv=False)[1] * homography
    _, values, rows = np.linalg.svd(H)
    first, _, third = values**2
    if first - third < MIN_TRANSLATION:
        return []
    v1, v2, v3 = rows
    a, b = math.sqrt(max(0.0, 1 - third)), math.sqrt(max(0.0, first - 1))
    return [_solution(H, v2, (a * v1 + sign * b * v3) / math.sqrt(first - third)) for sign in (1.0, -1.0)]


def _solution(
    homography: Float[np.ndarray, "3 3"], v2: Float[np.ndarray, "3"], u: Float[np.ndarray, "3"]
) -> tuple[Float[np.ndarray, "3 4"], Float[np.ndarray, "3"]]:
    """Rotation that maps the plane of v2 and u as the homography does, which leaves it undistorted."""
    normal = np.cross(v2, u)
    first, second = homography @ v2, homography @ u
    U = np.column_stack([v2, u, normal])
    W = np.column_stack([first, second, np.cross(first, second)])
    R = W @ U.T
    return np.column_stack([R, (homography - R) @ normal]), normal
