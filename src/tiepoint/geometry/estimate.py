"""estimate_homography, …_fundamental, …_essential, …_relative_pose: from tie points to geometry.

The estimators are those of well-kept libraries, rows of `ESTIMATORS`. Whatever the method, the same checks come
before it and the same inliers are counted after it; a failure is a value with a reason.
"""

import math
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.geometry.backends import dlt, opencv, opencv_ransac, poselib, pycolmap
from tiepoint.geometry.backends.base import Estimator, Model, Problem
from tiepoint.geometry.backends.poselib import undistort
from tiepoint.geometry.inliers import INLIERS, NAMES, why_degenerate, why_insufficient
from tiepoint.geometry.intrinsics import camera_for
from tiepoint.geometry.multiview import essential_from_pose
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
"""(kind, method) -> function."""

MAX_SEED = 2**31 - 1
"""OpenCV keeps a seed in 32 bits with a sign."""


def estimate_homography(
    matches: HasCorrespondences | Any,
    points1: Any = None,
    *,
    method: Method = "poselib",
    max_error_px: float = 3.0,
    seed: int = 0,
) -> TwoViewEstimate:
    """Estimate p1 ~ H p0: right for a plane, or a camera that only turned.

    Args:
        matches: a MatchResult, or points (k, 2) of image 0: (x, y) in px of the original image.
        points1: points (k, 2) of image 1, where `matches` are points; None otherwise.
        method: "poselib", "opencv" (USAC-MAGSAC++) or "pycolmap", all with RANSAC; or "dlt": least squares over all
            matches, weighted by their scores, for matches without outliers.
        max_error_px: an inlier's point of image 0 goes to within this distance of its point of image 1.
        seed: of RANSAC's samples; the same call gives the same bits.

    Returns:
        An estimate; without a matrix, and with a reason, where there are fewer than 4 matches, points on one line,
        or matches that agree on nothing.

    Raises:
        InvalidInput: values that aren't finite, shapes that differ, an option that can't be.
        MissingDependency: the method's library isn't installed.

    Example:
        >>> estimate = tiepoint.estimate_homography(result)
        >>> estimate.matrix, estimate.num_inliers, estimate.reason
    """
    return _estimate(as_correspondences(matches, points1), "homography", method, max_error_px, seed)


def estimate_fundamental(
    matches: HasCorrespondences | Any,
    points1: Any = None,
    *,
    method: Method = "poselib",
    max_error_px: float = 1.0,
    seed: int = 0,
) -> TwoViewEstimate:
    """Estimate F with p1^T F p0 = 0: any rigid scene, cameras that nothing is known of.

    Args:
        matches: as for `estimate_homography`.
        points1: likewise.
        method: "poselib", "opencv" or "pycolmap".
        max_error_px: largest Sampson error of an inlier.
        seed: as for `estimate_homography`.

    Returns:
        An estimate; without a matrix, and with a reason, where there are fewer than 7 matches, points on one line,
        matches that agree on nothing, or only ones that a homography explains, which leave F open.

    Raises:
        InvalidInput: as for `estimate_homography`.
        MissingDependency: likewise.
    """
    return _estimate(as_correspondences(matches, points1), "fundamental", method, max_error_px, seed)


def estimate_essential(
    matches: HasCorrespondences | Any,
    points1: Any = None,
    *,
    method: Method = "poselib",
    max_error_px: float = 1.0,
    seed: int = 0,
    camera0: Intrinsics = None,
    camera1: Intrinsics = None,
) -> TwoViewEstimate:
    """Estimate E with x1^T E x0 = 0 for undistorted x = K^-1 p: any rigid scene, known cameras.

    Args:
        matches: as for `estimate_homography`.
        points1: likewise.
        method: "poselib", "opencv" or "pycolmap".
        max_error_px: largest Sampson error of an inlier, in px of the original images freed of lens distortion.
        seed: as for `estimate_homography`.
        camera0: a matrix (3, 3) or a `Camera`; None: the focal length of the photograph's EXIF data, else a
            guess. The estimate's `camera0.source` tells which.
        camera1: likewise of image 1.

    Returns:
        An estimate; without a matrix, and with a reason, where there are fewer than 5 matches, points on one line,
        matches that agree on nothing, or no translation to be seen.

    Raises:
        InvalidInput: as for `estimate_homography`; or singular intrinsics, intrinsics of another image size, or None
            for points of which no image is known.
        MissingDependency: as for `estimate_homography`.
    """
    found = as_correspondences(matches, points1)
    return _estimate(found, "essential", method, max_error_px, seed, _cameras(found, camera0, camera1))


def estimate_relative_pose(
    matches: HasCorrespondences | Any,
    points1: Any = None,
    *,
    method: Method = "poselib",
    max_error_px: float = 1.0,
    seed: int = 0,
    camera0: Intrinsics = None,
    camera1: Intrinsics = None,
) -> TwoViewEstimate:
    """Estimate cam1_from_cam0 = [R | t], X1 = R X0 + t, with |t| = 1: any rigid scene, known cameras.

    Args:
        matches: as for `estimate_homography`.
        points1: likewise.
        method: "poselib", "opencv" or "pycolmap".
        max_error_px: as for `estimate_essential`; inliers are also in front of both cameras.
        seed: as for `estimate_homography`.
        camera0: as for `estimate_essential`.
        camera1: likewise.

    Returns:
        As for `estimate_essential`, and `cam1_from_cam0`.

    Raises:
        InvalidInput: as for `estimate_essential`.
        MissingDependency: as for `estimate_homography`.
    """
    found = as_correspondences(matches, points1)
    return _estimate(found, "pose", method, max_error_px, seed, _cameras(found, camera0, camera1))


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
    reason = why_insufficient(kind, problem)
    model = None if reason else estimator(problem)
    if model is None or not _is_finite(model):
        return _failure(
            kind, method, problem, reason or f"{method} found no {NAMES[kind]} that matches agree on"
        )
    inliers = INLIERS[kind](problem, model)
    reason = why_degenerate(kind, problem, model, inliers)
    return (
        _failure(kind, method, problem, reason) if reason else _success(kind, method, problem, model, inliers)
    )


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
    """A scale and a sign that are the same for all methods, where the matrix has none of its own."""
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
        known = ", ".join(repr(name) for row, name in ESTIMATORS if row == kind)
        raise InvalidInput(f"method must be one of {known} for kind {kind!r}, but is {method!r}")
    return ESTIMATORS[kind, method]


def _check_options(max_error_px: Any, seed: Any) -> None:
    if not isinstance(max_error_px, Real) or not math.isfinite(max_error_px) or max_error_px <= 0:
        raise InvalidInput(f"max_error_px must be a number of px above 0, but is {max_error_px!r}")
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if not whole or not 0 <= int(seed) <= MAX_SEED:
        raise InvalidInput(f"seed must be a whole number from 0 to {MAX_SEED}, but is {seed!r}")
