"""Robust estimation of a model from matches: the table of methods, and the steps that all of them share.

The estimators are those of established libraries. Degeneracy checks and inlier counting are the same for all of them; a
failure is a value with a reason.
"""

import math
from dataclasses import replace
from numbers import Real
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.geometry.backends import dlt, opencv, opencv_ransac, poselib, pycolmap
from tiepoint.geometry.backends.base import Estimator, Model, Problem
from tiepoint.geometry.degeneracy import reason_degenerate, reason_insufficient
from tiepoint.geometry.inliers import INLIERS, MINIMAL_SET, MODEL_NAMES
from tiepoint.geometry.intrinsics import undistort
from tiepoint.geometry.multiview import essential_from_pose
from tiepoint.io.validation import is_integer
from tiepoint.types import PLANAR_KINDS, Camera, Correspondences, Kind, TwoViewEstimate

Method = Literal["poselib", "opencv", "opencv-ransac", "pycolmap", "dlt"]

# (kind, method) -> estimator
ESTIMATORS: dict[tuple[str, str], Estimator] = {
    ("homography", "poselib"): poselib.homography,
    ("homography", "opencv"): opencv.homography,
    ("homography", "opencv-ransac"): opencv_ransac.homography,
    ("homography", "pycolmap"): pycolmap.homography,
    ("homography", "dlt"): dlt.homography,
    ("similarity", "opencv"): opencv.similarity,
    ("affine", "opencv"): opencv.affine,
    ("affine", "pycolmap"): pycolmap.affine,
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


def solve(
    matches: Correspondences,
    kind: Kind,
    method: str,
    max_error_px: float,
    seed: int,
    cameras: tuple[Camera, Camera] | None = None,
) -> TwoViewEstimate:
    """Estimate a model; the public functions of `tiepoint.geometry.estimate` document options and errors.

    Args:
        matches: Matched points.
        kind: Type of model.
        method: Key of `ESTIMATORS`, with the kind.
        max_error_px: Inlier threshold in px.
        seed: Random seed of RANSAC.
        cameras: Cameras of both images, for "essential" and "pose".
    """
    estimator = _find_estimator(kind, method)
    _check_options(max_error_px, seed)
    problem = _problem(matches, float(max_error_px), int(seed), cameras)
    reason = reason_insufficient(kind, problem)
    if reason:
        return _failure(kind, method, problem, reason)
    found = _solve(estimator, kind, method, problem)
    # a few points near a line agree with a similarity of a mirrored image
    is_doubtful = kind == "similarity" and 2 * found.num_inliers <= len(found.inliers)
    if is_doubtful or (kind == "homography" and not found.success):
        return _mirrored(estimator, kind, method, problem) or found
    return found


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


def _solve(estimator: Estimator, kind: Kind, method: str, problem: Problem) -> TwoViewEstimate:
    model = estimator(problem)
    if model is None or not _is_finite(model):
        return _failure(kind, method, problem, f"no consensus: {method} found no {MODEL_NAMES[kind]}")
    inliers = INLIERS[kind](problem, model)
    reason = reason_degenerate(kind, problem, model, inliers)
    return (
        _failure(kind, method, problem, reason) if reason else _success(kind, method, problem, model, inliers)
    )


def _mirrored(estimator: Estimator, kind: Kind, method: str, problem: Problem) -> TwoViewEstimate | None:
    """Estimate the model of a mirrored image, such as a slide scanned from its back; None if there is none.

    PoseLib and OpenCV reject samples that a homography mirrors, because no camera sees a plane from behind; OpenCV's
    similarities have no reflection.
    Most matches must agree, since mirrored images are rare.
    """

    def estimate_mirrored(problem: Problem) -> Model | None:
        model = estimator(replace(problem, points1=problem.points1 * MIRROR[:2]))
        return None if model is None or model.matrix is None else Model(np.diag(MIRROR) @ model.matrix)

    found = _solve(estimate_mirrored, kind, method, problem)
    return found if 2 * found.num_inliers > len(found.inliers) else None


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
    if kind in PLANAR_KINDS and abs(matrix[2, 2]) > 1e-12 * np.linalg.norm(matrix):
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
