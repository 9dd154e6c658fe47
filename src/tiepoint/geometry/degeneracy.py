"""Degenerate configurations: matches or inliers that do not determine a model.

Degeneracy is judged against the threshold and against chance: noise within the threshold, and outliers that agree with
the model by chance, must not determine what a simpler model (a point, a line, a rotation, a plane) leaves open.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from tiepoint.geometry.backends.base import Model, Problem
from tiepoint.geometry.backends.poselib import refine_pose
from tiepoint.geometry.chance import (
    MAX_LOG_FALSE_ALARMS,
    MAX_SOLUTIONS,
    log_false_alarms,
    support_probability,
)
from tiepoint.geometry.inliers import MINIMAL_SET, MODEL_NAMES, pose_inliers
from tiepoint.geometry.metrics import pose_error_deg
from tiepoint.geometry.multiview import (
    essential_from_pose,
    fundamental_from_essential,
    sampson_distances,
    to_homogeneous,
)
from tiepoint.geometry.parallax import has_parallax, plane, rotation
from tiepoint.geometry.planar_pose import MIN_ANGLE_DEG, other_pose
from tiepoint.geometry.simpler_models import fit_line
from tiepoint.geometry.uncertainty import relative_uncertainty
from tiepoint.types import PLANAR_KINDS, Kind

# Number of matches off a line that determine what the matches on the line leave open: nothing for a similarity
OFF_LINE: dict[Kind, int] = {"affine": 1, "homography": 2, "fundamental": 4, "essential": 2, "pose": 2}

# Maximum standard deviation of a model of `PLANAR_KINDS` at the corners of the square around its inliers, relative to its side
MAX_UNCERTAINTY = 0.25

# Ratio of the supports from which two poses of a plane are equally good: visibility excludes neither
MIN_AMBIGUOUS_RATIO = 0.95

# Difference of residuals, in standard deviations, that decides between two poses of a plane
MIN_DEVIATIONS = 4.0

# Accuracy of exact matches, relative to the threshold
EXACT = 0.01

PURE_ROTATION = (
    "negligible baseline: pure rotation or a very distant scene, so the translation is not observable; "
    "estimate a homography"
)
PLANAR = (
    "degenerate configuration: the scene is planar or the motion a pure rotation, so the fundamental matrix is "
    "under-determined; estimate a homography"
)
AMBIGUOUS = (
    "degenerate configuration: the scene is planar, and two relative poses explain it equally well; "
    "estimate a homography"
)
MIRRORED = (
    "degenerate configuration: one image is the mirror image of the other, so no relative pose relates them; "
    "flip one image"
)


def reason_insufficient(kind: Kind, problem: Problem) -> str:
    """Return why the matches do not contain a minimal set of a model, by any method; "" if they do."""
    count, needed = len(problem.points0), f"{MODEL_NAMES[kind]} estimation needs at least {MINIMAL_SET[kind]}"
    if count < MINIMAL_SET[kind]:
        return f"got {count} matches, but {needed}"
    distinct = len(np.unique(np.hstack([problem.points0, problem.points1]), axis=0))
    if distinct < MINIMAL_SET[kind]:
        return f"got {distinct} distinct matches ({count} with duplicates), but {needed}"
    everything = np.ones(count, dtype=bool)
    return _reason_point(kind, problem, everything, "matched points") or _reason_line(
        kind, problem, everything, "matched points"
    )


def reason_degenerate(kind: Kind, problem: Problem, model: Model, inliers: Bool[np.ndarray, "k"]) -> str:
    """Return why the inliers do not determine the estimated model; "" if they do."""
    problem, inliers = _distinct(problem, inliers)
    reason = (
        _reason_chance(kind, problem, inliers)
        or _reason_point(kind, problem, inliers, "inliers")
        or _reason_line(kind, problem, inliers, "inliers")
    )
    if reason:
        return reason
    if kind in PLANAR_KINDS:
        return _reason_uncertain(kind, problem, model, inliers)
    if kind == "fundamental":
        return _reason_planar(problem, model, inliers)
    return _reason_pose(problem, model, inliers)


def _distinct(problem: Problem, inliers: Bool[np.ndarray, "k"]) -> tuple[Problem, Bool[np.ndarray, "n"]]:
    """Leave out repeated matches: they are no further support."""
    _, first = np.unique(np.hstack([problem.points0, problem.points1]), axis=0, return_index=True)
    if len(first) == len(inliers):
        return problem, inliers
    kept = np.sort(first)
    points0, points1, weights = problem.points0[kept], problem.points1[kept], problem.weights[kept]
    return replace(problem, points0=points0, points1=points1, weights=weights), inliers[kept]


def _reason_chance(kind: Kind, problem: Problem, inliers: Bool[np.ndarray, "k"]) -> str:
    count, found, sample = len(inliers), int(inliers.sum()), MINIMAL_SET[kind]
    if found == count == sample:  # nothing is left that could support the model
        return ""
    alarms = log_false_alarms(
        count, found, sample, support_probability(kind, problem), solutions=MAX_SOLUTIONS[kind]
    )
    if alarms < 0:
        return ""
    return f"no consensus: only {found} of {count} matches support any {MODEL_NAMES[kind]}, as expected by chance"


def _reason_point(kind: Kind, problem: Problem, chosen: Bool[np.ndarray, "k"], name: str) -> str:
    """Whether the threshold is as large as the spread of the points: then every model has inliers."""
    for side, points in enumerate((problem.points0, problem.points1)):
        radius = float(np.ptp(points[chosen], axis=0).max()) / 2
        if radius == 0:
            return f"degenerate configuration: all {name} coincide in image {side}"
        has_own_unit = kind in PLANAR_KINDS and side == 0  # their error is measured in image 1
        if radius <= problem.max_error_px and not has_own_unit:
            return (
                f"degenerate configuration: the {name} of image {side} spread over {2 * radius:.3g} px only, less than "
                f"the threshold of {problem.max_error_px:g} px allows; pass points in px, or reduce max_error_px"
            )
    return ""


def _noise_scale(kind: Kind, problem: Problem, chosen: Bool[np.ndarray, "k"]) -> tuple[float, float]:
    """Noise of image 0 and image 1 relative to the threshold: a planar model's error is measured in image 1 alone."""
    if kind not in PLANAR_KINDS:
        return 1.0, 1.0
    spread0, spread1 = (
        float(np.ptp(points[chosen], axis=0).max()) for points in (problem.points0, problem.points1)
    )
    return (spread0 / spread1 if spread1 else 0.0), 1.0


def _reason_line(kind: Kind, problem: Problem, chosen: Bool[np.ndarray, "k"], name: str) -> str:
    if kind not in OFF_LINE:
        return ""
    for side, points in enumerate((problem.points0, problem.points1)):
        noise = problem.max_error_px * _noise_scale(kind, problem, chosen)[side]
        line = fit_line(points[chosen], noise)
        if line is None:
            continue
        is_off_line = np.abs(line.distances(points)) > noise
        count, on_line = int(chosen.sum()), int((chosen & ~is_off_line).sum())
        if on_line == count:
            return f"degenerate configuration: the {name} are collinear in image {side}"
        if on_line > OFF_LINE[kind] and not _determines(kind, problem, is_off_line, chosen):
            return (
                f"degenerate configuration: {on_line} of {count} {name} are collinear in image {side}, and the others do "
                f"not determine the {MODEL_NAMES[kind]}"
            )
    return ""


def _determines(
    kind: Kind, problem: Problem, is_off_line: Bool[np.ndarray, "k"], inliers: Bool[np.ndarray, "k"]
) -> bool:
    """Whether the inliers off a line determine what the line leaves open; among outliers, by more than chance."""
    candidates, support, sample = int(is_off_line.sum()), int((is_off_line & inliers).sum()), OFF_LINE[kind]
    if support == candidates:
        return support >= sample
    probability = support_probability(kind, problem)
    return log_false_alarms(candidates, support, sample, probability) < MAX_LOG_FALSE_ALARMS


def _reason_uncertain(kind: Kind, problem: Problem, model: Model, inliers: Bool[np.ndarray, "k"]) -> str:
    H = model.matrix
    if H is None or np.linalg.matrix_rank(H) < 3:
        return f"the {MODEL_NAMES[kind]} of the inliers is singular"
    points = _without_noise(kind, problem, inliers)
    if relative_uncertainty(kind, points, H, problem.max_error_px) <= MAX_UNCERTAINTY:
        return ""
    return (
        f"degenerate configuration: noise of {problem.max_error_px:g} px, the threshold, leaves the "
        f"{MODEL_NAMES[kind]} of the {len(points)} inliers undetermined, as they are close to a line or to each other; reduce max_error_px if the "
        "points are more accurate"
    )


def _without_noise(kind: Kind, problem: Problem, inliers: Bool[np.ndarray, "k"]) -> Float[np.ndarray, "n 2"]:
    """Inliers of image 0; those that noise alone may have moved off a line are projected onto it."""
    points = problem.points0[inliers]
    noise = problem.max_error_px * _noise_scale(kind, problem, inliers)[0]
    line = fit_line(points, noise)
    if line is None:
        return points
    distances = line.distances(points)
    return points - np.where(np.abs(distances) <= noise, distances, 0)[:, None] * line.normal


def _reason_planar(problem: Problem, model: Model, inliers: Bool[np.ndarray, "k"]) -> str:
    assert model.matrix is not None, "a fundamental matrix is a matrix"
    errors = sampson_distances(problem.points0, problem.points1, model.matrix)
    return "" if has_parallax(problem, inliers, errors, plane) else PLANAR


def _reason_pose(problem: Problem, model: Model, inliers: Bool[np.ndarray, "k"]) -> str:
    assert model.cam1_from_cam0 is not None, "a pose is a rigid transform"
    errors = _sampson_errors(problem, model.cam1_from_cam0)
    if not has_parallax(problem, inliers, errors, rotation):
        return PURE_ROTATION
    H = plane(problem, inliers, problem.max_error_px)
    if H is None or has_parallax(problem, inliers, errors, plane):
        return ""
    if _is_mirrored(H, problem.points0[inliers]):
        return MIRRORED
    return AMBIGUOUS if _is_ambiguous(problem, H, model.cam1_from_cam0, inliers) else ""


def _is_ambiguous(
    problem: Problem,
    homography: Float[np.ndarray, "3 3"],
    cam1_from_cam0: Float[np.ndarray, "3 4"],
    inliers: Bool[np.ndarray, "k"],
) -> bool:
    """Whether the other pose of a plane explains the inliers as well, and visibility does not exclude it."""
    K0, K1 = problem.intrinsics
    other = other_pose(np.linalg.inv(K1) @ homography @ K0, cam1_from_cam0)
    if other is None:
        return False
    poses = [refine_pose(problem, inliers, pose) for pose in (cam1_from_cam0, other)]
    if pose_error_deg(*poses) < MIN_ANGLE_DEG or not _is_visible(problem, inliers, poses[1]):
        return False
    best, second = (_mean_squared_error(problem, inliers, pose) for pose in poses)
    # the poses project the same noise in different directions: log(second / best) has a deviation of 2 / sqrt(n)
    deviations = np.sqrt(inliers.sum()) / 2 * np.log(second / best)
    return bool(deviations < MIN_DEVIATIONS)


def _is_visible(
    problem: Problem, inliers: Bool[np.ndarray, "k"], cam1_from_cam0: Float[np.ndarray, "3 4"]
) -> bool:
    """Whether nearly all inliers are in front of both cameras, with one of the signs of the translation."""
    supports = [
        int((inliers & pose_inliers(problem, Model(cam1_from_cam0=cam1_from_cam0 * [1, 1, 1, sign]))).sum())
        for sign in (1, -1)
    ]
    return max(supports) >= MIN_AMBIGUOUS_RATIO * int(inliers.sum())


def _mean_squared_error(
    problem: Problem, inliers: Bool[np.ndarray, "k"], cam1_from_cam0: Float[np.ndarray, "3 4"]
) -> float:
    """Mean of the squared Sampson errors of inliers in px^2, and a floor far below the threshold for exact matches."""
    errors = np.minimum(_sampson_errors(problem, cam1_from_cam0)[inliers], problem.max_error_px)
    return float(np.mean(errors**2)) + (EXACT * problem.max_error_px) ** 2


def _sampson_errors(problem: Problem, cam1_from_cam0: Float[np.ndarray, "3 4"]) -> Float[np.ndarray, "k"]:
    F = fundamental_from_essential(essential_from_pose(cam1_from_cam0), *problem.intrinsics)
    return sampson_distances(problem.points0, problem.points1, F)


def _is_mirrored(homography: Float[np.ndarray, "3 3"], points: Float[np.ndarray, "k 2"]) -> bool:
    """Whether a homography reverses the orientation of most points."""
    scales = to_homogeneous(points) @ homography[2]
    return bool(np.median(np.linalg.det(homography) * scales) < 0)
