"""Inliers of a model, counted in the same way for all backends, and degeneracy checks."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from tiepoint.geometry.backends.base import Model, Problem
from tiepoint.geometry.backends.dlt import weighted_dlt
from tiepoint.geometry.multiview import (
    essential_from_pose,
    fundamental_from_essential,
    sampson_distances,
    to_homogeneous,
    transfer_errors,
)
from tiepoint.types import Kind

MODEL_NAMES: dict[Kind, str] = {
    "homography": "homography",
    "fundamental": "fundamental matrix",
    "essential": "essential matrix",
    "pose": "relative pose",
}

# Size of the minimal set of each model
MINIMAL_SET: dict[Kind, int] = {"homography": 4, "fundamental": 7, "essential": 5, "pose": 5}

# Minimum ratio of the standard deviations across and along the main direction of points that are not collinear
MIN_SPREAD_RATIO = 1e-3

# A homography and two points off its plane determine a fundamental matrix (Hartley and Zisserman, section 13.3)
MIN_OFF_PLANE = 2


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
    "homography": homography_inliers,
    "fundamental": fundamental_inliers,
    "essential": pose_inliers,
    "pose": pose_inliers,
}


def reason_insufficient(kind: Kind, problem: Problem) -> str:
    """Return why the matches do not contain a minimal set of a model, by any method; "" if they do."""
    count, needed = len(problem.points0), f"{MODEL_NAMES[kind]} estimation needs at least {MINIMAL_SET[kind]}"
    if count < MINIMAL_SET[kind]:
        return f"got {count} matches, but {needed}"
    distinct = len(np.unique(np.hstack([problem.points0, problem.points1]), axis=0))
    if distinct < MINIMAL_SET[kind]:
        return f"got {distinct} distinct matches ({count} with duplicates), but {needed}"
    return _reason_collinear(problem, np.ones(count, dtype=bool), "matched points")


def reason_degenerate(kind: Kind, problem: Problem, model: Model, inliers: Bool[np.ndarray, "k"]) -> str:
    """Return why the inliers do not determine the estimated model; "" if they do."""
    count, found = len(inliers), int(inliers.sum())
    if found < MINIMAL_SET[kind] or (found == MINIMAL_SET[kind] < count):
        return f"no consensus: only {found} of {count} matches support any {MODEL_NAMES[kind]}, as expected by chance"
    collinear = _reason_collinear(problem, inliers, "inliers")
    if collinear:
        return collinear
    if kind == "homography":
        is_regular = model.matrix is not None and np.linalg.matrix_rank(model.matrix) == 3
        return "" if is_regular else "the homography of the inliers is singular"
    if kind == "fundamental":
        return _reason_planar(problem, inliers)
    return _reason_pure_rotation(problem, model, inliers)


def _reason_collinear(problem: Problem, chosen: Bool[np.ndarray, "k"], name: str) -> str:
    for side, points in enumerate((problem.points0, problem.points1)):
        across, along = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(points[chosen].T)), 0))
        if along == 0:
            return f"degenerate configuration: all {name} coincide in image {side}"
        if across < MIN_SPREAD_RATIO * along:
            return f"degenerate configuration: the {name} are collinear in image {side}"
    return ""


def _reason_planar(problem: Problem, inliers: Bool[np.ndarray, "k"]) -> str:
    if _count_off_plane(problem, inliers) >= MIN_OFF_PLANE:
        return ""
    return (
        "degenerate configuration: the scene is planar or the motion a pure rotation, so the fundamental matrix is "
        "under-determined; estimate a homography"
    )


def _count_off_plane(problem: Problem, inliers: Bool[np.ndarray, "k"]) -> int:
    H = weighted_dlt(problem.points0, problem.points1, inliers.astype(np.float64))
    if H is None:
        return 0
    is_off_plane = transfer_errors(problem.points0, problem.points1, H) > problem.max_error_px
    return int((inliers & is_off_plane).sum())


def _reason_pure_rotation(problem: Problem, model: Model, inliers: Bool[np.ndarray, "k"]) -> str:
    if (inliers & _has_parallax(problem, model)).sum() >= MIN_OFF_PLANE:
        return ""
    return (
        "negligible baseline: pure rotation or a very distant scene, so the translation is not observable; "
        "estimate a homography"
    )


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
