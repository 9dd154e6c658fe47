"""Which matches agree with a model, counted one way for all backends, and whether they determine it."""

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

NAMES: dict[Kind, str] = {
    "homography": "homography",
    "fundamental": "fundamental matrix",
    "essential": "essential matrix",
    "pose": "relative pose",
}

FEWEST: dict[Kind, int] = {"homography": 4, "fundamental": 7, "essential": 5, "pose": 5}
"""Matches that determine a model."""

MIN_SPREAD = 1e-3
"""Points are on one line where they spread across it by less than this, as a share of their spread along it."""

FEWEST_OFF_PLANE = 2
"""A fundamental matrix is a homography and two points off its plane (Hartley and Zisserman, section 13.3)."""


def homography_inliers(problem: Problem, model: Model) -> Bool[np.ndarray, "k"]:
    """Matches whose point of image 0 goes to within `max_error_px` of the point of image 1."""
    assert model.matrix is not None, "a homography is a matrix"
    return transfer_errors(problem.points0, problem.points1, model.matrix) <= problem.max_error_px


def fundamental_inliers(problem: Problem, model: Model) -> Bool[np.ndarray, "k"]:
    """Matches with a Sampson error of at most `max_error_px`."""
    assert model.matrix is not None, "a fundamental matrix is a matrix"
    return sampson_distances(problem.points0, problem.points1, model.matrix) <= problem.max_error_px


def pose_inliers(problem: Problem, model: Model) -> Bool[np.ndarray, "k"]:
    """Matches with a Sampson error of at most `max_error_px`, in front of both cameras.

    So far away that only noise says whether the rays meet before or behind the cameras counts as in front.
    """
    assert model.cam1_from_cam0 is not None, "a pose is a rigid motion"
    K0, K1 = problem.intrinsics
    F = fundamental_from_essential(essential_from_pose(model.cam1_from_cam0), K0, K1)
    near_line = sampson_distances(problem.points0, problem.points1, F) <= problem.max_error_px
    return near_line & (_in_front(problem, model.cam1_from_cam0) | ~_has_parallax(problem, model))


INLIERS: dict[Kind, Callable[[Problem, Model], Bool[np.ndarray, "k"]]] = {
    "homography": homography_inliers,
    "fundamental": fundamental_inliers,
    "essential": pose_inliers,
    "pose": pose_inliers,
}


def why_insufficient(kind: Kind, problem: Problem) -> str:
    """Why no model can be estimated from these matches, whatever the method; "" where it can."""
    count = len(problem.points0)
    if count < FEWEST[kind]:
        return f"{count} matches came, but {NAMES[kind]} estimation needs at least {FEWEST[kind]}"
    distinct = len(np.unique(np.hstack([problem.points0, problem.points1]), axis=0))
    if distinct < FEWEST[kind]:
        return f"only {distinct} of {count} matches differ, but {NAMES[kind]} estimation needs at least {FEWEST[kind]}"
    return _why_flat(problem, np.ones(count, dtype=bool), "the matched points")


def why_degenerate(kind: Kind, problem: Problem, model: Model, inliers: Bool[np.ndarray, "k"]) -> str:
    """Why the matches that agree don't determine the model that was found; "" where they do."""
    count, found = len(inliers), int(inliers.sum())
    if found < FEWEST[kind] or (found == FEWEST[kind] < count):
        return f"no more than {found} of {count} matches agree on any {NAMES[kind]}, as chance alone would do"
    flat = _why_flat(problem, inliers, "the points of the matches that agree")
    if flat:
        return flat
    if kind == "homography":
        full = model.matrix is not None and np.linalg.matrix_rank(model.matrix) == 3
        return "" if full else "the matches that agree fit a singular homography only"
    return _why_planar(problem, inliers) if kind == "fundamental" else _why_still(problem, model, inliers)


def _why_flat(problem: Problem, chosen: Bool[np.ndarray, "k"], which: str) -> str:
    for side, points in enumerate((problem.points0, problem.points1)):
        across, along = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(points[chosen].T)), 0))
        if along == 0:
            return f"{which} are all the same point in image {side}"
        if across < MIN_SPREAD * along:
            return f"{which} lie on one line in image {side}"
    return ""


def _why_planar(problem: Problem, inliers: Bool[np.ndarray, "k"]) -> str:
    H = weighted_dlt(problem.points0, problem.points1, inliers.astype(np.float64))
    off = (
        0
        if H is None
        else int(
            (inliers & (transfer_errors(problem.points0, problem.points1, H) > problem.max_error_px)).sum()
        )
    )
    if off >= FEWEST_OFF_PLANE:
        return ""
    return (
        "the matches that agree lie on one plane, or the camera only turned, which leaves the fundamental matrix "
        "open; estimate a homography"
    )


def _why_still(problem: Problem, model: Model, inliers: Bool[np.ndarray, "k"]) -> str:
    if (inliers & _has_parallax(problem, model)).sum() >= FEWEST_OFF_PLANE:
        return ""
    return "the camera only turned, or everything is too far away: no translation can be seen; estimate a homography"


def _has_parallax(problem: Problem, model: Model) -> Bool[np.ndarray, "k"]:
    """Matches that the rotation alone doesn't explain."""
    assert model.cam1_from_cam0 is not None, "a pose is a rigid motion"
    K0, K1 = problem.intrinsics
    return (
        transfer_errors(
            problem.points0, problem.points1, K1 @ model.cam1_from_cam0[:, :3] @ np.linalg.inv(K0)
        )
        > problem.max_error_px
    )


def _in_front(problem: Problem, cam1_from_cam0: Float[np.ndarray, "3 4"]) -> Bool[np.ndarray, "k"]:
    """Whether d0 R x0 + t = d1 x1 with positive depths; the signs only, so that nothing is divided."""
    K0, K1 = problem.intrinsics
    R, t = cam1_from_cam0[:, :3], cam1_from_cam0[:, 3]
    rays0 = to_homogeneous(problem.points0) @ np.linalg.inv(K0).T @ R.T
    rays1 = to_homogeneous(problem.points1) @ np.linalg.inv(K1).T
    normal = np.cross(rays1, rays0)
    depth0 = -np.sum(np.cross(rays1, t) * normal, axis=1)
    depth1 = -np.sum(np.cross(rays0, t) * normal, axis=1)
    return (depth0 > 0) & (depth1 > 0)
