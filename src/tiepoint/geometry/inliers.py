"""Inliers of a model, counted in the same way for all backends."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from tiepoint.geometry.backends.base import Model, Problem
from tiepoint.geometry.multiview import (
    essential_from_pose,
    fundamental_from_essential,
    sampson_distances,
    to_homogeneous,
    transfer_errors,
)
from tiepoint.types import Kind

MODEL_NAMES: dict[Kind, str] = {
    "similarity": "similarity",
    "affine": "affine transformation",
    "homography": "homography",
    "fundamental": "fundamental matrix",
    "essential": "essential matrix",
    "pose": "relative pose",
}

# Size of the minimal set of each model
MINIMAL_SET: dict[Kind, int] = {
    "similarity": 2,
    "affine": 3,
    "homography": 4,
    "fundamental": 7,
    "essential": 5,
    "pose": 5,
}


def homography_inliers(problem: Problem, model: Model) -> Bool[np.ndarray, "k"]:
    """Matches with a transfer error in image 1 of at most `max_error_px`."""
    assert model.matrix is not None, "a homography is a matrix"
    return transfer_errors(problem.points0, problem.points1, model.matrix) <= problem.max_error_px


def fundamental_inliers(problem: Problem, model: Model) -> Bool[np.ndarray, "k"]:
    """Matches with a Sampson error of at most `max_error_px`."""
    assert model.matrix is not None, "a fundamental matrix is a matrix"
    return sampson_distances(problem.points0, problem.points1, model.matrix) <= problem.max_error_px


def pose_inliers(problem: Problem, model: Model) -> Bool[np.ndarray, "k"]:
    """Matches with a Sampson error of at most `max_error_px`, in front of both cameras (cheirality).

    Points without parallax pass the cheirality check: the sign of their depth is determined by noise.
    """
    assert model.cam1_from_cam0 is not None, "a pose is a rigid transform"
    K0, K1 = problem.intrinsics
    F = fundamental_from_essential(essential_from_pose(model.cam1_from_cam0), K0, K1)
    is_epipolar = sampson_distances(problem.points0, problem.points1, F) <= problem.max_error_px
    return is_epipolar & (_in_front(problem, model.cam1_from_cam0) | ~_has_parallax(problem, model))


INLIERS: dict[Kind, Callable[[Problem, Model], Bool[np.ndarray, "k"]]] = {
    "similarity": homography_inliers,
    "affine": homography_inliers,
    "homography": homography_inliers,
    "fundamental": fundamental_inliers,
    "essential": pose_inliers,
    "pose": pose_inliers,
}


def _has_parallax(problem: Problem, model: Model) -> Bool[np.ndarray, "k"]:
    """Matches that the rotation alone does not explain."""
    assert model.cam1_from_cam0 is not None, "a pose is a rigid transform"
    K0, K1 = problem.intrinsics
    infinite_homography = K1 @ model.cam1_from_cam0[:, :3] @ np.linalg.inv(K0)
    return transfer_errors(problem.points0, problem.points1, infinite_homography) > problem.max_error_px


def _in_front(problem: Problem, cam1_from_cam0: Float[np.ndarray, "3 4"]) -> Bool[np.ndarray, "k"]:
    """Whether d0 R x0 + t = d1 x1 with positive depths d0 and d1; computes signs only, without divisions."""
    K0, K1 = problem.intrinsics
    R, t = cam1_from_cam0[:, :3], cam1_from_cam0[:, 3]
    rays0 = to_homogeneous(problem.points0) @ np.linalg.inv(K0).T @ R.T
    rays1 = to_homogeneous(problem.points1) @ np.linalg.inv(K1).T
    normal = np.cross(rays1, rays0)
    depth0 = -np.sum(np.cross(rays1, t) * normal, axis=1)
    depth1 = -np.sum(np.cross(rays0, t) * normal, axis=1)
    return (depth0 > 0) & (depth1 > 0)
