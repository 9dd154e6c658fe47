"""Verification by name: a geometric model, how strict, with which camera; and how well the matches fit it."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.geometry.estimate import estimate_fundamental, estimate_homography, estimate_relative_pose
from tiepoint.geometry.intrinsics import parse_intrinsics
from tiepoint.geometry.metrics import epipolar_errors_px, homography_errors_px
from tiepoint.types import HasCorrespondences, TwoViewEstimate, as_correspondences

Verifier: TypeAlias = Callable[[Any], TwoViewEstimate]
"""MatchResult -> its geometry."""

VERIFIERS: dict[str, Callable[..., TwoViewEstimate]] = {
    "homography": estimate_homography,
    "fundamental": estimate_fundamental,
    "pose": estimate_relative_pose,
}


def make_verifier(kind: str, *, max_error_px: float = 3.0, intrinsics: str | None = None) -> Verifier:
    """Make a function that estimates a model of matches; options that can't be are found out before there are any.

    Args:
        kind: "homography" for a plane or a camera that only turned; "fundamental" for any rigid scene; "pose"
            likewise, with cameras of which the focal length is known.
        max_error_px: an inlier's largest error, in px of the original images.
        intrinsics: of both cameras, for "pose" only: "f,cx,cy", "fx,fy,cx,cy", or a text file with these or a 3x3
            matrix; None: from the photographs' EXIF data, else a guess.

    Raises:
        InvalidInput: an unknown kind, an error that isn't above 0, intrinsics that can't be read, or without use.
    """
    if kind not in VERIFIERS:
        raise InvalidInput(f"matches are verified with {', '.join(VERIFIERS)}, but {kind!r} came")
    if not (math.isfinite(max_error_px) and max_error_px > 0):
        raise InvalidInput(f"max_error_px must be a number of px above 0, but is {max_error_px!r}")
    if intrinsics is None:
        return partial(VERIFIERS[kind], max_error_px=max_error_px)
    if kind != "pose":
        raise InvalidInput(f"intrinsics are of use for a pose only, not for a {kind}; leave them out")
    K = parse_intrinsics(intrinsics, None).intrinsics
    return partial(VERIFIERS[kind], max_error_px=max_error_px, camera0=K, camera1=K)


def median_error_px(matches: HasCorrespondences | Any, estimate: TwoViewEstimate) -> float:
    """The median error of the inliers, in px; NaN where there are none.

    A match's error is the mean of its distances in both images from where a homography puts it; otherwise the larger
    one of its distances from the epipolar lines.
    """
    found = as_correspondences(matches)
    points0, points1 = found.points0[estimate.inliers], found.points1[estimate.inliers]
    if estimate.matrix is None or len(points0) == 0:
        return math.nan
    if estimate.kind == "homography":
        return float(np.median(homography_errors_px(points0, points1, estimate.matrix)))
    return float(np.median(epipolar_errors_px(points0, points1, estimate.fundamental)))
