"""PoseLib's estimators: LO-RANSAC over minimal solvers, then non-linear refinement."""

from typing import Any

import numpy as np
import poselib
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.geometry.backends.base import CONFIDENCE, MAX_ITERATIONS, Model, Problem, pinhole_params
from tiepoint.types import Camera

MAX_MISS_PX = 1e-3
"""Between a point and where its undistorted ray is seen again."""


def homography(problem: Problem) -> Model | None:
    """Four-point samples, transfer error in image 1."""
    H, info = poselib.estimate_homography(problem.points0, problem.points1, _options(problem))
    return Model(H) if info["num_inliers"] else None  # without inliers PoseLib returns an identity


def fundamental(problem: Problem) -> Model | None:
    """Seven-point samples, Sampson error."""
    F, info = poselib.estimate_fundamental(problem.points0, problem.points1, _options(problem))
    return Model(F) if info["num_inliers"] else None


def pose(problem: Problem) -> Model | None:
    """Five-point samples, Sampson error, points in front of both cameras."""
    camera0, camera1 = (_pinhole(K) for K in problem.intrinsics)
    found, info = poselib.estimate_relative_pose(
        problem.points0, problem.points1, camera0, camera1, _options(problem)
    )
    return Model(cam1_from_cam0=np.array(found.Rt)) if info["num_inliers"] else None


def undistort(points: Float[np.ndarray, "k 2"], camera: Camera) -> Float[np.ndarray, "k 2"]:
    """Where points would be if the lens were a pinhole with the same intrinsics.

    Args:
        points: (x, y) in px of the photograph.
        camera: what took it.

    Returns:
        (x, y) in px; the same points for a camera without distortion.

    Raises:
        InvalidInput: points that no ray is seen at: a strong distortion folds the image's border over.
    """
    if not any(camera.distortion) or len(points) == 0:
        return points
    (fx, fy), (cx, cy) = camera.focal_lengths, camera.principal_point
    lens = poselib.Camera("OPENCV", [fx, fy, cx, cy, *camera.distortion], 1, 1)
    rays = np.asarray(lens.unproject(points))
    misses = np.linalg.norm(np.asarray(lens.project(rays)) - points, axis=1)
    wrong = ~(misses < MAX_MISS_PX)  # NaN is wrong too
    if wrong.any():
        raise InvalidInput(
            f"the distortion (k1, k2, p1, p2) = {camera.distortion} can't be undone for {int(wrong.sum())} of "
            f"{len(points)} points, the first at {tuple(points[wrong][0].tolist())} px; is it this camera's?"
        )
    return rays * (fx, fy) + (cx, cy)


def _options(problem: Problem) -> dict[str, Any]:
    return {
        "max_reproj_error": problem.max_error_px,
        "max_epipolar_error": problem.max_error_px,
        "max_iterations": MAX_ITERATIONS,
        "success_prob": CONFIDENCE,
        "seed": problem.seed,
    }


def _pinhole(intrinsics: Float[np.ndarray, "3 3"]) -> poselib.Camera:
    """PoseLib's camera; its width and height aren't used in estimation."""
    return poselib.Camera("PINHOLE", pinhole_params(intrinsics), 1, 1)
