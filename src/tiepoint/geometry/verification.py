"""Geometric verification of matches by the name of a model, and the accuracy of its inliers."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.geometry.alignment import estimate_alignment
from tiepoint.geometry.estimate import (
    estimate_affine,
    estimate_fundamental,
    estimate_homography,
    estimate_relative_pose,
    estimate_similarity,
)
from tiepoint.geometry.intrinsics import parse_intrinsics
from tiepoint.geometry.metrics import epipolar_errors_px, homography_errors_px
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.types import Correspondences, HasCorrespondences, TwoViewEstimate, as_correspondences

Verifier: TypeAlias = Callable[[Any], TwoViewEstimate]
"""Estimates the two-view geometry of a MatchResult."""

VERIFIERS: dict[str, Callable[..., TwoViewEstimate]] = {
    "similarity": estimate_similarity,
    "affine": estimate_affine,
    "homography": estimate_homography,
    "alignment": estimate_alignment,
    "fundamental": estimate_fundamental,
    "pose": estimate_relative_pose,
}


def make_verifier(
    kind: str, *, max_error_px: float = TWO_VIEW_MAX_ERROR_PX, intrinsics: str | None = None
) -> Verifier:
    """Create a function that estimates a model from matches; options are validated before any matching.

    Args:
        kind: "homography" for planar scenes or pure rotation; "similarity" or "affine" if fewer degrees of freedom are
            known to suffice; "alignment" for the simplest of these three that explains the matches; "fundamental" for
            any rigid scene, "pose" for any rigid scene with calibrated cameras.
        max_error_px: Inlier threshold in px of the original images.
        intrinsics: Intrinsics of both cameras, for "pose" only: "f,cx,cy", "fx,fy,cx,cy", or a text file with these or
            a 3x3 matrix; None uses EXIF data, else a default prior.

    Raises:
        InvalidInput: If the kind is unknown, the threshold is not positive, or the intrinsics are invalid or unused.
    """
    if kind not in VERIFIERS:
        raise InvalidInput(f"unknown verifier {kind!r}; expected one of {', '.join(VERIFIERS)}")
    if not (math.isfinite(max_error_px) and max_error_px > 0):
        raise InvalidInput(f"max_error_px: expected a positive number, got {max_error_px!r}")
    if intrinsics is None:
        return partial(VERIFIERS[kind], max_error_px=max_error_px)
    if kind != "pose":
        raise InvalidInput(f"intrinsics are supported for a pose only, got kind {kind!r}; omit them")
    K = parse_intrinsics(intrinsics, None).intrinsics
    return partial(VERIFIERS[kind], max_error_px=max_error_px, camera0=K, camera1=K)


def estimate_two_view(
    matches: Correspondences | HasCorrespondences, *, max_error_px: float, seed: int = 0
) -> TwoViewEstimate:
    """Estimate a fundamental matrix; or a homography for a planar scene or a pure rotation, which determine no other.

    Args:
        matches: Matches of the pair.
        max_error_px: Inlier threshold in px.
        seed: Random seed of RANSAC.

    Returns:
        The fundamental matrix or the homography; a failure of kind "fundamental" if there is neither.
    """
    fundamental = estimate_fundamental(matches, max_error_px=max_error_px, seed=seed)
    if fundamental.success:
        return fundamental
    homography = estimate_homography(matches, max_error_px=max_error_px, seed=seed)
    return homography if homography.success else fundamental


def match_errors_px(
    matches: Correspondences | HasCorrespondences, estimate: TwoViewEstimate
) -> Float[np.ndarray, "k"]:
    """Return the error of each match, in px; inf if the estimation failed.

    It is the symmetric transfer error for similarities, affine transformations and homographies, else the maximum of the distances from the epipolar lines.

    Args:
        matches: Matches of the estimate.
        estimate: Two-view geometry of these matches.
    """
    found = as_correspondences(matches)
    if estimate.matrix is None:
        return np.full(len(found), np.inf)
    if estimate.homography is not None:
        return homography_errors_px(found.points0, found.points1, estimate.matrix)
    return epipolar_errors_px(found.points0, found.points1, estimate.fundamental)


def median_error_px(matches: Correspondences | HasCorrespondences, estimate: TwoViewEstimate) -> float:
    """Return the median of `match_errors_px` of the inliers; NaN without inliers.

    Args:
        matches: Matches of the estimate.
        estimate: Two-view geometry of these matches.
    """
    if estimate.num_inliers == 0:
        return math.nan
    return float(np.median(match_errors_px(matches, estimate)[estimate.inliers]))
