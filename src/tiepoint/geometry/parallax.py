"""Parallax: do the inliers of an epipolar geometry show more than a plane or a pure rotation, beyond noise and chance?

A plane determines all of a fundamental matrix but the epipole, and a pure rotation all of a pose but the translation. Any
two other matches determine the rest, so the parallax of more matches must point to the same epipole.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from tiepoint.geometry.backends.base import Problem
from tiepoint.geometry.chance import MAX_LOG_FALSE_ALARMS, alignment_probability, log_false_alarms
from tiepoint.geometry.simpler_models import fit_homography, fit_rotation, symmetric_errors, unit_rays

# Number of matches that determine an epipole, given a homography (Hartley and Zisserman, section 13.3) or a rotation
SAMPLE = 2

# Ratio of the 95 % quantiles of errors with two degrees of freedom and with one (chi-squared: 5.99 and 3.84)
TWO_DIMENSIONS = 1.25

# Noise of keypoints in px: parallax below a threshold is looked for down to this
MIN_NOISE_PX = 1.0

# Limit of the expected coincidences (logarithm) where there are outliers: those of repeated structures and of blurred
# keypoints err in similar directions. 78 rotations of real images reach -4.6, scenes with depth are below -100
MAX_LOG_FALSE_ALARMS_WITH_OUTLIERS = -10.0

Fit: TypeAlias = Callable[[Problem, Bool[np.ndarray, "k"], float], Float[np.ndarray, "3 3"] | None]
"""Fit the simpler model to some matches with a threshold in px; return its homography."""


def has_parallax(
    problem: Problem, inliers: Bool[np.ndarray, "k"], epipolar_errors: Float[np.ndarray, "k"], fit: Fit
) -> bool:
    """Return whether the inliers of an epipolar geometry show parallax that no simpler model explains.

    Args:
        problem: All matches.
        inliers: Inliers of the epipolar geometry.
        epipolar_errors: Sampson errors of all matches in px.
        fit: Simpler model: `plane` or `rotation`.
    """
    for noise_px in _noise_levels(problem.max_error_px):
        support = inliers & (epipolar_errors <= noise_px)
        homography = fit(problem, support, noise_px)
        if homography is None:
            return noise_px == problem.max_error_px
        errors = symmetric_errors(problem.points0, problem.points1, homography)
        is_other = errors > TWO_DIMENSIONS * noise_px
        probability = alignment_probability(errors[is_other], noise_px)
        count, found = int(is_other.sum()), int((support & is_other).sum())
        limit = MAX_LOG_FALSE_ALARMS if found == count else MAX_LOG_FALSE_ALARMS_WITH_OUTLIERS
        if log_false_alarms(count, found, SAMPLE, probability) < limit:
            return True
    return False


def plane(
    problem: Problem, chosen: Bool[np.ndarray, "k"], noise_px: float
) -> Float[np.ndarray, "3 3"] | None:
    """Fit a homography."""
    if chosen.sum() < 4:
        return None
    return fit_homography(problem.points0[chosen], problem.points1[chosen], _transfer_px(noise_px))


def rotation(
    problem: Problem, chosen: Bool[np.ndarray, "k"], noise_px: float
) -> Float[np.ndarray, "3 3"] | None:
    """Fit a rotation R, and return K1 R K0^-1."""
    if chosen.sum() < SAMPLE:
        return None
    K0, K1 = problem.intrinsics
    focal_px = float(np.mean([K[axis, axis] for K in (K0, K1) for axis in (0, 1)]))
    rays0, rays1 = unit_rays(problem.points0[chosen], K0), unit_rays(problem.points1[chosen], K1)
    return K1 @ fit_rotation(rays0, rays1, _transfer_px(noise_px) / focal_px) @ np.linalg.inv(K0)


def _transfer_px(noise_px: float) -> float:
    """Largest transfer error in image 1 that noise explains."""
    return TWO_DIMENSIONS * float(np.sqrt(2)) * noise_px


def _noise_levels(max_error_px: float) -> Iterator[float]:
    """The threshold and its halves: a large threshold allows noise that accurate matches do not have."""
    yield max_error_px
    while (max_error_px := max_error_px / 2) >= MIN_NOISE_PX:
        yield max_error_px
