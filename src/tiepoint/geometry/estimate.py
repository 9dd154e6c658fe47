"""estimate_similarity, …_affine, …_homography, …_fundamental, …_essential, …_relative_pose: two-view geometry from matches."""

from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from tiepoint.geometry.intrinsics import camera_for
from tiepoint.geometry.solver import Method, solve
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.types import Camera, Correspondences, HasCorrespondences, TwoViewEstimate, as_correspondences

Intrinsics: TypeAlias = Float[np.ndarray, "3 3"] | Camera | None
Matches: TypeAlias = HasCorrespondences | Correspondences | Any
"""MatchResult, Correspondences, or points of image 0 as an array-like of shape (k, 2)."""


def estimate_similarity(
    matches: Matches,
    points1: Any = None,
    *,
    method: Method = "opencv",
    max_error_px: float = TWO_VIEW_MAX_ERROR_PX,
    seed: int = 0,
) -> TwoViewEstimate:
    """Estimate a similarity, p1 = s R p0 + t (rotation, translation, uniform scale), for scans, maps and microscopy.

    Args:
        matches: MatchResult or Correspondences; or points (x, y) of image 0 in px, with `points1`.
        points1: Corresponding points of image 1 in px, if `matches` are points.
        method: "opencv" (RANSAC).
        max_error_px: Inlier threshold of the transfer error in image 1, in px.
        seed: Random seed of RANSAC; OpenCV ignores it here and draws the same samples in each call.

    Returns:
        The estimate, a matrix (3, 3) with the last row (0, 0, 1). It has a reason instead of a matrix if there are fewer
        than 2 matches, no consensus beyond chance, or the inliers spread less than the threshold. The similarity of a
        mirrored image has a negative determinant.

    Raises:
        InvalidInput: If a value is not finite, shapes do not agree, or an option is invalid.
        MissingDependency: If the library of the method is not installed.
    """
    return solve(as_correspondences(matches, points1), "similarity", method, max_error_px, seed)


def estimate_affine(
    matches: Matches,
    points1: Any = None,
    *,
    method: Method = "opencv",
    max_error_px: float = TWO_VIEW_MAX_ERROR_PX,
    seed: int = 0,
) -> TwoViewEstimate:
    """Estimate an affine transformation, p1 = A p0 + t, for distant planes, scans and satellite images.

    Args:
        matches: MatchResult or Correspondences; or points (x, y) of image 0 in px, with `points1`.
        points1: Corresponding points of image 1 in px, if `matches` are points.
        method: "opencv" or "pycolmap" (RANSAC).
        max_error_px: Inlier threshold of the transfer error in image 1, in px.
        seed: Random seed of RANSAC; results are reproducible.

    Returns:
        The estimate, a matrix (3, 3) with the last row (0, 0, 1). It has a reason instead of a matrix if there are fewer
        than 3 matches, no consensus beyond chance, or noise within the threshold leaves it undetermined: all inliers, or
        all but one, are on a line, or they spread less than the threshold. It may mirror the image.

    Raises:
        InvalidInput: If a value is not finite, shapes do not agree, or an option is invalid.
        MissingDependency: If the library of the method is not installed.
    """
    return solve(as_correspondences(matches, points1), "affine", method, max_error_px, seed)


def estimate_homography(
    matches: Matches,
    points1: Any = None,
    *,
    method: Method = "poselib",
    max_error_px: float = TWO_VIEW_MAX_ERROR_PX,
    seed: int = 0,
) -> TwoViewEstimate:
    """Estimate a homography, p1 ~ H p0, for planar scenes or pure rotation.

    Args:
        matches: MatchResult or Correspondences; or points (x, y) of image 0 in px, with `points1`.
        points1: Corresponding points of image 1 in px, if `matches` are points.
        method: "poselib", "opencv", "opencv-ransac" or "pycolmap" (RANSAC); "dlt" fits all matches, weighted by their
            scores, for matches without outliers.
        max_error_px: Inlier threshold of the transfer error in image 1, in px.
        seed: Random seed of RANSAC; results are reproducible.

    Returns:
        The estimate. It has a reason instead of a matrix if there are fewer than 4 matches, no consensus beyond chance, or
        noise within the threshold leaves the homography undetermined: all inliers, or all but one, are on a line, or they
        spread less than the threshold. The homography of a mirrored image has a negative determinant.

    Raises:
        InvalidInput: If a value is not finite, shapes do not agree, or an option is invalid.
        MissingDependency: If the library of the method is not installed.

    Example:
        >>> estimate = tiepoint.estimate_homography(result)
        >>> estimate.matrix, estimate.num_inliers, estimate.reason
    """
    return solve(as_correspondences(matches, points1), "homography", method, max_error_px, seed)


def estimate_fundamental(
    matches: Matches,
    points1: Any = None,
    *,
    method: Method = "poselib",
    max_error_px: float = TWO_VIEW_MAX_ERROR_PX,
    seed: int = 0,
) -> TwoViewEstimate:
    """Estimate a fundamental matrix, p1^T F p0 = 0, for rigid scenes and uncalibrated cameras.

    Args:
        matches: MatchResult or Correspondences; or points (x, y) of image 0 in px, with `points1`.
        points1: Corresponding points of image 1 in px, if `matches` are points.
        method: "poselib", "opencv", "opencv-ransac" or "pycolmap".
        max_error_px: Inlier threshold of the Sampson error, in px.
        seed: Random seed of RANSAC; results are reproducible.

    Returns:
        The estimate. It has a reason instead of a matrix if there are fewer than 7 matches, no consensus beyond chance, the
        points are collinear, or F is under-determined because a homography explains all inliers but for noise and chance.

    Raises:
        InvalidInput: If a value is not finite, shapes do not agree, or an option is invalid.
        MissingDependency: If the library of the method is not installed.
    """
    return solve(as_correspondences(matches, points1), "fundamental", method, max_error_px, seed)


def estimate_essential(
    matches: Matches,
    points1: Any = None,
    *,
    method: Method = "poselib",
    max_error_px: float = TWO_VIEW_MAX_ERROR_PX,
    seed: int = 0,
    camera0: Intrinsics = None,
    camera1: Intrinsics = None,
) -> TwoViewEstimate:
    """Estimate an essential matrix, x1^T E x0 = 0 for undistorted x = K^-1 p, for rigid scenes and calibrated cameras.

    Args:
        matches: MatchResult or Correspondences; or points (x, y) of image 0 in px, with `points1`.
        points1: Corresponding points of image 1 in px, if `matches` are points.
        method: "poselib", "opencv", "opencv-ransac" or "pycolmap".
        max_error_px: Inlier threshold of the Sampson error, in px of the undistorted original images.
        seed: Random seed of RANSAC; results are reproducible.
        camera0: Camera of image 0, or its matrix K (3, 3); None uses the focal length of EXIF data, else a default
            prior (see `camera0.source` of the estimate).
        camera1: Camera of image 1, or its matrix K (3, 3), or None.

    Returns:
        The estimate. It has a reason instead of a matrix if there are fewer than 5 matches, no consensus beyond chance, the
        points are collinear, the baseline is negligible (pure rotation), or the scene is a plane that two poses explain
        equally well.

    Raises:
        InvalidInput: If a value is not finite, shapes do not agree, an option is invalid, intrinsics are singular or
            belong to another image size, or a camera is None for points of an unknown image.
        MissingDependency: If the library of the method is not installed.
    """
    found = as_correspondences(matches, points1)
    return solve(found, "essential", method, max_error_px, seed, _cameras(found, camera0, camera1))


def estimate_relative_pose(
    matches: Matches,
    points1: Any = None,
    *,
    method: Method = "poselib",
    max_error_px: float = TWO_VIEW_MAX_ERROR_PX,
    seed: int = 0,
    camera0: Intrinsics = None,
    camera1: Intrinsics = None,
) -> TwoViewEstimate:
    """Estimate the relative pose cam1_from_cam0 = [R | t] (X1 = R X0 + t, t of length 1) of calibrated cameras.

    Args:
        matches: MatchResult or Correspondences; or points (x, y) of image 0 in px, with `points1`.
        points1: Corresponding points of image 1 in px, if `matches` are points.
        method: "poselib", "opencv", "opencv-ransac" or "pycolmap".
        max_error_px: Inlier threshold of the Sampson error, in px of the undistorted original images; inliers are also
            in front of both cameras.
        seed: Random seed of RANSAC; results are reproducible.
        camera0: Camera of image 0, or its matrix K (3, 3); None uses the focal length of EXIF data, else a default
            prior (see `camera0.source` of the estimate).
        camera1: Camera of image 1, or its matrix K (3, 3), or None.

    Returns:
        The estimate, with `cam1_from_cam0`; failures as for `estimate_essential`.

    Raises:
        InvalidInput: If a value is not finite, shapes do not agree, an option is invalid, intrinsics are singular or
            belong to another image size, or a camera is None for points of an unknown image.
        MissingDependency: If the library of the method is not installed.
    """
    found = as_correspondences(matches, points1)
    return solve(found, "pose", method, max_error_px, seed, _cameras(found, camera0, camera1))


def _cameras(matches: Correspondences, camera0: Intrinsics, camera1: Intrinsics) -> tuple[Camera, Camera]:
    return (
        camera_for(camera0, matches.image0, name="camera0"),
        camera_for(camera1, matches.image1, name="camera1"),
    )
