"""Estimators of PoseLib: LO-RANSAC with minimal solvers and non-linear refinement."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# PoseLib has no stubs.

from typing import Any

import numpy as np
import poselib
from jaxtyping import Bool, Float

from tiepoint.geometry.backends.base import CONFIDENCE, MAX_ITERATIONS, Model, Problem, pinhole_params


def homography(problem: Problem) -> Model | None:
    """Estimate from four-point samples, with the transfer error in image 1."""
    H, info = poselib.estimate_homography(problem.points0, problem.points1, _options(problem))
    return Model(H) if info["num_inliers"] else None  # without inliers, PoseLib returns an identity


def homography_of_inliers(
    points0: Float[np.ndarray, "k 2"],
    points1: Float[np.ndarray, "k 2"],
    max_error_px: float,
    max_iterations: int,
) -> Float[np.ndarray, "3 3"] | None:
    """Estimate a homography in few iterations; None if it has no inliers or is singular.

    Args:
        points0: Points (x, y) of image 0 in px.
        points1: Corresponding points of image 1.
        max_error_px: Inlier threshold of the transfer error.
        max_iterations: Maximum number of samples.
    """
    options = {"max_reproj_error": max_error_px, "max_iterations": max_iterations, "min_iterations": 20}
    H, info = poselib.estimate_homography(points0, points1, options)
    is_found = info["num_inliers"] > 0 and np.isfinite(H).all() and np.linalg.det(H) != 0
    return np.array(H) if is_found else None


def fundamental(problem: Problem) -> Model | None:
    """Estimate from seven-point samples, with the Sampson error."""
    F, info = poselib.estimate_fundamental(problem.points0, problem.points1, _options(problem))
    return Model(F) if info["num_inliers"] else None


def pose(problem: Problem) -> Model | None:
    """Estimate from five-point samples, with the Sampson error and the cheirality check."""
    camera0, camera1 = (_pinhole(K) for K in problem.intrinsics)
    found, info = poselib.estimate_relative_pose(
        problem.points0, problem.points1, camera0, camera1, _options(problem)
    )
    return Model(cam1_from_cam0=np.array(found.Rt)) if info["num_inliers"] else None


def refine_pose(
    problem: Problem, inliers: Bool[np.ndarray, "k"], cam1_from_cam0: Float[np.ndarray, "3 4"]
) -> Float[np.ndarray, "3 4"]:
    """Minimize the Sampson errors of inliers.

    Args:
        problem: Matches and cameras.
        inliers: Matches that are used.
        cam1_from_cam0: Initial pose [R | t].
    """
    camera0, camera1 = (_pinhole(K) for K in problem.intrinsics)
    initial = poselib.CameraPose()
    initial.R, initial.t = cam1_from_cam0[:, :3], cam1_from_cam0[:, 3] / np.linalg.norm(cam1_from_cam0[:, 3])
    refined, _ = poselib.refine_relative_pose(
        problem.points0[inliers], problem.points1[inliers], initial, camera0, camera1, {}
    )
    return np.array(refined.Rt)


def _options(problem: Problem) -> dict[str, Any]:
    return {
        "max_reproj_error": problem.max_error_px,
        "max_epipolar_error": problem.max_error_px,
        "max_iterations": MAX_ITERATIONS,
        "success_prob": CONFIDENCE,
        "seed": problem.seed,
    }


def _pinhole(intrinsics: Float[np.ndarray, "3 3"]) -> poselib.Camera:
    """Return PoseLib's camera; its width and height are not used in estimation."""
    return poselib.Camera("PINHOLE", pinhole_params(intrinsics), 1, 1)
