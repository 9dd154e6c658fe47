"""estimate_alignment: the simplest of similarity, affine transformation and homography that explains the matches."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tiepoint.geometry.estimate import Matches, estimate_affine, estimate_homography, estimate_similarity
from tiepoint.geometry.multiview import transfer_errors
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.geometry.uncertainty import QUANTILE
from tiepoint.types import Correspondences, Kind, TwoViewEstimate, as_correspondences

MODELS: dict[Kind, Callable[..., TwoViewEstimate]] = {
    "similarity": estimate_similarity,
    "affine": estimate_affine,
    "homography": estimate_homography,
}
"""Models from simple to general."""

DEGREES_OF_FREEDOM: dict[Kind, int] = {"similarity": 4, "affine": 6, "homography": 8}

DATA_DIMENSION = 4  # of a match: x0, y0, x1, y1
MODEL_DIMENSION = 2  # of the matches that a planar model allows


def estimate_alignment(
    matches: Matches,
    points1: Any = None,
    *,
    max_error_px: float = TWO_VIEW_MAX_ERROR_PX,
    seed: int = 0,
) -> TwoViewEstimate:
    """Estimate the simplest of similarity, affine transformation and homography that explains the matches.

    The model with the lowest geometric robust information criterion (GRIC) is chosen: the sum of squared transfer errors
    over the noise, limited for outliers, plus log(4 k) per degree of freedom for k matches. The noise has a standard
    deviation of `max_error_px` / 2.45 per axis, so that 95 % of correct matches are within the threshold.

    Args:
        matches: MatchResult or Correspondences; or points (x, y) of image 0 in px, with `points1`.
        points1: Corresponding points of image 1 in px, if `matches` are points.
        max_error_px: Inlier threshold of the transfer error in image 1, in px.
        seed: Random seed of RANSAC; results are reproducible.

    Returns:
        The estimate; its `kind` is the model. If no model can be estimated: the failed homography with its reason.

    Raises:
        InvalidInput: If a value is not finite, shapes do not agree, or an option is invalid.
        MissingDependency: If OpenCV is not installed.

    Source: Torr, Geometric motion segmentation and model selection, Phil. Trans. R. Soc. A 356 (1998).
    """
    found = as_correspondences(matches, points1)
    estimates = [estimate(found, max_error_px=max_error_px, seed=seed) for estimate in MODELS.values()]
    successes = [estimate for estimate in estimates if estimate.success]
    return min(successes, key=lambda estimate: gric(found, estimate)) if successes else estimates[-1]


def gric(matches: Correspondences, estimate: TwoViewEstimate) -> float:
    """Return the geometric robust information criterion of a planar model; lower is better.

    Args:
        matches: Matches of the estimate.
        estimate: Successful estimate of a model of `MODELS`.
    """
    assert estimate.matrix is not None, "failures are not compared"
    count = len(matches)
    noise = estimate.max_error_px / QUANTILE
    errors = transfer_errors(matches.points0, matches.points1, estimate.matrix) / noise
    limit = 2.0 * (DATA_DIMENSION - MODEL_DIMENSION)  # an outlier costs as much as what it saves
    residual = float(np.minimum(np.nan_to_num(errors**2, nan=np.inf), limit).sum())
    structure = MODEL_DIMENSION * count * math.log(DATA_DIMENSION)
    return residual + structure + DEGREES_OF_FREEDOM[estimate.kind] * math.log(DATA_DIMENSION * count)
