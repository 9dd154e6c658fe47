"""estimate_homography, …_fundamental, …_essential, …_relative_pose: two-view geometry from matches.

The estimators are those of established libraries, rows of `ESTIMATORS`. Degeneracy checks and inlier counting are the
same for all of them; a failure is a value with a reason.
"""

import math
from dataclasses import replace
from numbers import Real
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.geometry.backends import dlt, opencv, opencv_ransac, poselib, pycolmap
from tiepoint.geometry.backends.base import Estimator, Model, Problem
from tiepoint.geometry.degeneracy import reason_degenerate, reason_insufficient
from tiepoint.geometry.inliers import INLIERS, MINIMAL_SET, MODEL_NAMES
from tiepoint.geometry.intrinsics import camera_for, undistort
from tiepoint.geometry.multiview import essential_from_pose
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.io.validation import is_integer
from tiepoint.types import (
    Camera,
    Correspondences,
    HasCorrespondences,
    Kind,
    TwoViewEstimate,
    as_correspondences,
)

Method = Literal["poselib", "opencv", "opencv-ransac", "pycolmap", "dlt"]
Intrinsics: TypeAlias = Float[np.ndarray, "3 3"] | Camera | None
Matches: TypeAlias = HasCorrespondences | Correspondences | Any
"""MatchResult, Correspondences, or points of image 0 as an array-like of shape (k, 2)."""

# (kind, method) -> estimator
ESTIMATORS: dict[tuple[str, str], Estimator] = {
    ("homography", "poselib"): poselib.homography,
    ("homography", "opencv"): opencv.homography,
    ("homography", "opencv-ransac"): opencv_ransac.homography,
    ("homography", "pycolmap"): pycolmap.homography,
    ("homography", "dlt"): dlt.homography,
    ("fundamental", "poselib"): poselib.fundamental,
    ("fundamental", "opencv"): opencv.fundamental,
    ("fundamental", "opencv-ransac"): opencv_ransac.fundamental,
    ("fundamental", "pycolmap"): pycolmap.fundamental,
    ("essential", "poselib"): poselib.pose,
    ("essential", "opencv"): opencv.pose,
    ("essential", "opencv-ransac"): opencv_ransac.pose,
    ("essential", "pycolmap"): pycolmap.pose,
    ("pose", "poselib"): poselib.pose,
    ("pose", "opencv"): opencv.pose,
    ("pose", "opencv-ransac"): opencv_ransac.pose,
    ("pose", "pycolmap"): pycolmap.pose,
}

# Scale of homogeneous coordinates that mirrors an image horizontally
MIRROR = np.array([-1.0, 1.0, 1.0])

# OpenCV stores seeds as signed 32-bit integers
MAX_SEED = 2**31 - 1


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
    return _estimate(as_correspondences(matches, points1), "homography", method, max_error_px, seed)


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
    return _estimate(as_correspondences(matches, points1), "fundamental", method, max_error_px, seed)


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
    return _estimate(found, "essential", method, max_error_px, seed, _cameras(found, camera0, camera1))


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
    """Estimate the relative pose cam1_from_cam0 = [R | t] (X1 = R X0 + t, |t| = 1) of calibrated cameras.

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
    return _estimate(found, "pose", method, max_error_px, seed, _cameras(found, camera0, camera1))


def largest_support(
    matches: Correspondences, kind: Literal["homography", "fundamental"], max_error_px: float
) -> Float[np.ndarray, "3 3"] | None:
    """Return the model that most matches support, even if a degenerate configuration does not determine it.

    Args:
        matches: Matched points.
        kind: "homography" or "fundamental".
        max_error_px: Inlier threshold in px.

    Returns:
        The matrix; None if no more matches than a minimal set support any model.
    """
    problem = _problem(matches, max_error_px, 0, None)
    if reason_insufficient(kind, problem):
        return None
    model = ESTIMATORS[kind, "poselib"](problem)
    if model is None or model.matrix is None or not _is_finite(model):
        return None
    found, sample = int(INLIERS[kind](problem, model).sum()), MINIMAL_SET[kind]
    return None if found < sample or found == sample < len(matches) else model.matrix


def _estimate(
    matches: Correspondences,
    kind: Kind,
    method: str,
    max_error_px: float,
    seed: int,
    cameras: tuple[Camera, Camera] | None = None,
) -> TwoViewEstimate:
    estimator = _find_estimator(kind, method)
    _check_options(max_error_px, seed)
    problem = _problem(matches, float(max_error_px), int(seed), cameras)
    reason = reason_insufficient(kind, problem)
    if reason:
        return _failure(kind, method, problem, reason)
    found = _solve(estimator, kind, method, problem)
    if kind == "homography" and not found.success:
        return _mirrored(estimator, method, problem) or found
    return found


def _solve(estimator: Estimator, kind: Kind, method: str, problem: Problem) -> TwoViewEstimate:
    model = estimator(problem)
    if model is None or not _is_finite(model):
        return _failure(kind, method, problem, f"no consensus: {method} found no {MODEL_NAMES[kind]}")
    inliers = INLIERS[kind](problem, model)
    reason = reason_degenerate(kind, problem, model, inliers)
    return (
        _failure(kind, method, problem, reason) if reason else _success(kind, method, problem, model, inliers)
    )


def _mirrored(estimator: Estimator, method: str, problem: Problem) -> TwoViewEstimate | None:
    """Estimate the homography of a mirrored image, such as a slide scanned from its back; None if there is none.

    PoseLib and OpenCV reject samples that a homography mirrors, because no camera sees a plane from behind.
    Most matches must agree, since mirrored images are rare.
    """

    def estimate_mirrored(problem: Problem) -> Model | None:
        model = estimator(replace(problem, points1=problem.points1 * MIRROR[:2]))
        return None if model is None or model.matrix is None else Model(np.diag(MIRROR) @ model.matrix)

    found = _solve(estimate_mirrored, "homography", method, problem)
    return found if 2 * found.num_inliers > len(found.inliers) else None


def _cameras(matches: Correspondences, camera0: Intrinsics, camera1: Intrinsics) -> tuple[Camera, Camera]:
    return (
        camera_for(camera0, matches.image0, name="camera0"),
        camera_for(camera1, matches.image1, name="camera1"),
    )


def _problem(
    matches: Correspondences, max_error_px: float, seed: int, cameras: tuple[Camera, Camera] | None
) -> Problem:
    points0, points1 = matches.points0, matches.points1
    if cameras is not None:
        points0, points1 = undistort(points0, cameras[0]), undistort(points1, cameras[1])
    return Problem(
        points0=points0,
        points1=points1,
        weights=np.maximum(matches.scores, 0.0),
        max_error_px=max_error_px,
        seed=seed,
        cameras=cameras,
    )


def _success(kind: Kind, method: str, problem: Problem, model: Model, inliers: np.ndarray) -> TwoViewEstimate:
    pose = model.cam1_from_cam0
    if pose is not None:
        pose = np.column_stack([pose[:, :3], pose[:, 3] / np.linalg.norm(pose[:, 3])])
    matrix = model.matrix if pose is None else essential_from_pose(pose)
    assert matrix is not None, "a model is a matrix or a pose"
    camera0, camera1 = problem.cameras or (None, None)
    return TwoViewEstimate(
        kind=kind,
        matrix=_normalized(kind, matrix),
        inliers=inliers,
        method=method,
        max_error_px=problem.max_error_px,
        cam1_from_cam0=pose if kind == "pose" else None,
        camera0=camera0,
        camera1=camera1,
    )


def _failure(kind: Kind, method: str, problem: Problem, reason: str) -> TwoViewEstimate:
    camera0, camera1 = problem.cameras or (None, None)
    return TwoViewEstimate(
        kind=kind,
        matrix=None,
        inliers=np.zeros(len(problem.points0), dtype=bool),
        method=method,
        max_error_px=problem.max_error_px,
        camera0=camera0,
        camera1=camera1,
        reason=reason,
    )


def _normalized(kind: Kind, matrix: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """Fix the scale and sign of a matrix that is defined up to scale, so that they are the same for all methods."""
    if kind == "pose":
        return matrix
    if kind == "homography" and abs(matrix[2, 2]) > 1e-12 * np.linalg.norm(matrix):
        return matrix / matrix[2, 2]
    if kind != "essential":
        matrix = matrix / np.linalg.norm(matrix)
    return matrix * np.sign(matrix.flat[np.abs(matrix).argmax()])


def _is_finite(model: Model) -> bool:
    return all(value is None or bool(np.isfinite(value).all()) for value in model)


def _find_estimator(kind: str, method: str) -> Estimator:
    if (kind, method) not in ESTIMATORS:
        available = ", ".join(repr(name) for row, name in ESTIMATORS if row == kind)
        raise InvalidInput(f"unknown method {method!r} for kind {kind!r}; available: {available}")
    return ESTIMATORS[kind, method]


def _check_options(max_error_px: Any, seed: Any) -> None:
    if not isinstance(max_error_px, Real) or not math.isfinite(max_error_px) or max_error_px <= 0:
        raise InvalidInput(f"max_error_px: expected a positive number, got {max_error_px!r}")
    if not is_integer(seed, 0) or int(seed) > MAX_SEED:
        raise InvalidInput(f"seed: expected an integer from 0 to {MAX_SEED}, got {seed!r}")
