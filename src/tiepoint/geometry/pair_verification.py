"""Pair verification: do two images show the same scene? A calibrated probability and a reason, from the matches.

Both images are scaled to the same size, a homography and a fundamental matrix are estimated from the highest-scoring
matches, and a logistic model turns inlier counts and scores into a probability. `MODELS` holds its coefficients, as
fitted by `python -m benchmarks verification`: one row per type of matcher, and rows for extractors whose scores and
numbers of matches differ.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from tiepoint.geometry.multiview import sampson_distances, transfer_errors
from tiepoint.geometry.solver import largest_support
from tiepoint.types import Correspondences

# Probability from which two images are classified as covisible
MIN_SAME_SCENE_PROBABILITY = 0.5

# Longer side in px to which both images are scaled, so that the result does not depend on their resolution
LONGER_SIDE = 1024

# Inlier threshold in px of the scaled images
MAX_ERROR_PX = 2.0

# Number of highest-scoring matches used for estimation; all matches are then tested against the model
MAX_MATCHES_FOR_ESTIMATION = 500

# End of the reason if the inliers imply a relative rotation
ROTATION_ADVICE = "; try views='rotation'"

# Thresholds of the reasons; the probability does not depend on them
MIN_KEYPOINTS = 100
MIN_MATCHED_RATIO = 0.05
MIN_COVERAGE = 0.02
MIN_ROTATED_INLIERS = 8
MIN_ROTATED_INLIER_RATIO = 0.3
MIN_ROTATION_DEG = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PairStatistics:
    """Features of pair verification: statistics of matching and estimation.

    Attributes:
        matcher: Key of `MODELS`.
        num_keypoints: Number of keypoints of the image that has fewer.
        num_matches: Number of matches.
        mean_score: Mean match score; 0 without matches.
        num_fundamental: Number of inliers of the fundamental matrix; 0 if estimation failed.
        num_homography: Number of inliers of the homography; 0 if estimation failed.
        coverage: Fraction of the image area over which the inliers are distributed, of the image where it is lower.
        rotation_deg: Relative in-plane rotation in [0, 180] degrees, beyond the rotation that was already applied,
            estimated from the inliers.
    """

    matcher: str
    num_keypoints: int
    num_matches: int
    mean_score: float
    num_fundamental: int
    num_homography: int
    coverage: float
    rotation_deg: float

    @property
    def num_inliers(self) -> int:
        """Number of inliers of the model with the larger support."""
        return max(self.num_fundamental, self.num_homography)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairVerification:
    """Whether two images show the same scene.

    Attributes:
        same_scene: Whether the images overlap: `probability` is at least 0.5.
        probability: Probability in [0, 1] that they overlap, for equally many covisible and non-covisible pairs;
            0 without matches.
        reason: Explanation in words.
        num_inliers: Number of inliers of a homography or a fundamental matrix, whichever has more.
    """

    same_scene: bool
    probability: float
    reason: str
    num_inliers: int


# Type of matcher, or extractor and type of matcher -> bias, and weights of `feature_vector`
MODELS: dict[str, tuple[float, ...]] = {
    "lightglue": (-6.443, 1.008, 0.245, 5.439),
    "nearest": (-12.579, 0.29, 1.042, 18.407),
    "xfeat+lightglue": (-6.127, 0.708, 1.011, 5.462),
    "xfeat+nearest": (-38.169, 1.161, 1.229, 39.443),
    "sift+nearest": (-68.791, 0.207, 2.249, 70.564),
}


SAME_DESCRIPTORS = {"colmap-sift": "sift"}
"""Extractor -> extractor with the same descriptors, whose coefficients hold for it, too."""


def verify_pair(matches: Correspondences) -> PairVerification:
    """Classify an image pair as covisible or not; deterministic.

    Args:
        matches: All matches of the pair; a selection of inliers would result in too high a probability.
    """
    return classify(pair_statistics(matches))


def pair_statistics(matches: Correspondences) -> PairStatistics:
    """Estimate a homography and a fundamental matrix, and collect the features of pair verification."""
    size0, size1 = _scaled_size(matches.image0.image_size), _scaled_size(matches.image1.image_size)
    points0 = matches.points0 * _scale(matches.image0.image_size)
    points1 = matches.points1 * _scale(matches.image1.image_size)
    fundamental, homography = _inliers_of_both(points0, points1, matches.scores)
    best = fundamental if fundamental.sum() > homography.sum() else homography
    return PairStatistics(
        matcher=model_name(matches),
        num_keypoints=min(matches.image0.num_keypoints, matches.image1.num_keypoints),
        num_matches=len(matches),
        mean_score=float(matches.scores.mean()) if len(matches) else 0.0,
        num_fundamental=int(fundamental.sum()),
        num_homography=int(homography.sum()),
        coverage=min(_coverage(points0[best], size0), _coverage(points1[best], size1)),
        rotation_deg=_relative_rotation_deg(
            points0[best], points1[best], matches.image1.rotation - matches.image0.rotation
        ),
    )


def model_name(matches: Correspondences) -> str:
    """Return the key of `MODELS` for a pair: that of its extractor and matcher if there is one, else of its matcher."""
    matcher = "lightglue" if matches.layers_run else "nearest"
    kinds = (image.kind.partition("@")[0] for image in (matches.image0, matches.image1))
    extractors = {SAME_DESCRIPTORS.get(kind, kind) for kind in kinds}
    specific = f"{'/'.join(extractors)}+{matcher}"
    return specific if specific in MODELS else matcher


def classify(statistics: PairStatistics) -> PairVerification:
    """Apply the logistic model to the statistics of a pair."""
    probability = _probability(statistics) if statistics.num_matches else 0.0
    same_scene = probability >= MIN_SAME_SCENE_PROBABILITY
    return PairVerification(
        same_scene=same_scene,
        probability=probability,
        reason=_support(statistics) if same_scene else _reason(statistics),
        num_inliers=statistics.num_inliers,
    )


def feature_vector(statistics: PairStatistics) -> tuple[float, ...]:
    """Return the features that the logistic model uses; docs/log.md lists the ones that were left out, and why."""
    return (
        math.log1p(statistics.num_inliers),
        math.log1p(statistics.num_homography),
        statistics.mean_score,
    )


def _probability(statistics: PairStatistics) -> float:
    bias, *weights = MODELS[statistics.matcher]
    return 1 / (1 + math.exp(-bias - float(np.dot(weights, feature_vector(statistics)))))


def _scale(image_size: tuple[int, int] | None) -> float:
    return 1.0 if image_size is None else LONGER_SIDE / max(image_size)


def _scaled_size(image_size: tuple[int, int] | None) -> tuple[float, float]:
    width, height = image_size or (LONGER_SIDE, LONGER_SIDE)
    return width * _scale(image_size), height * _scale(image_size)


def _inliers_of_both(
    points0: Float[np.ndarray, "k 2"], points1: Float[np.ndarray, "k 2"], scores: Float[np.ndarray, "k"]
) -> tuple[Bool[np.ndarray, "k"], Bool[np.ndarray, "k"]]:
    """Inliers of a fundamental matrix, and inliers of a homography."""
    best = np.argsort(-scores, kind="stable")[:MAX_MATCHES_FOR_ESTIMATION]
    matches = Correspondences.from_points(points0[best], points1[best])
    F = largest_support(matches, "fundamental", MAX_ERROR_PX)
    H = largest_support(matches, "homography", MAX_ERROR_PX)
    return _inliers(F, points0, points1, sampson_distances), _inliers(H, points0, points1, transfer_errors)


def _inliers(
    matrix: Float[np.ndarray, "3 3"] | None,
    points0: Float[np.ndarray, "k 2"],
    points1: Float[np.ndarray, "k 2"],
    errors: Callable[..., np.ndarray],
) -> Bool[np.ndarray, "k"]:
    if matrix is None:
        return np.zeros(len(points0), dtype=bool)
    return errors(points0, points1, matrix) <= MAX_ERROR_PX


def _coverage(points: Float[np.ndarray, "k 2"], image_size: tuple[float, float]) -> float:
    """Distribution of points over an image of w x h px; 1 if uniform, with variances w^2 / 12 and h^2 / 12."""
    if len(points) < 3:
        return 0.0
    width, height = image_size
    deviation = math.sqrt(max(0.0, float(np.linalg.det(np.cov(points.T)))))
    return min(1.0, 12 * deviation / (width * height))


def _relative_rotation_deg(
    points0: Float[np.ndarray, "k 2"], points1: Float[np.ndarray, "k 2"], applied_deg: int
) -> float:
    """In-plane rotation (Procrustes) from image 0 to image 1 that is left after the applied one, in [0, 180]."""
    if len(points0) == 0:
        return 0.0
    (xx, xy), (yx, yy) = (points0 - points0.mean(axis=0)).T @ (points1 - points1.mean(axis=0))
    angle = math.degrees(math.atan2(xy - yx, xx + yy)) - applied_deg  # y is down: clockwise is positive
    return abs((angle + 180) % 360 - 180)


def _reason(statistics: PairStatistics) -> str:
    """Main reason against a common scene."""
    keypoints, matches = statistics.num_keypoints, statistics.num_matches
    inliers = statistics.num_inliers
    if keypoints == 0:
        return "no keypoints in at least one image: blank, blurred or fully masked"
    if matches == 0:
        return f"no matches between {keypoints} keypoints"
    if keypoints < MIN_KEYPOINTS:
        return f"few keypoints: {keypoints}, {matches} of them matched, {inliers} inliers"
    min_rotated = max(MIN_ROTATED_INLIERS, MIN_ROTATED_INLIER_RATIO * matches)
    if statistics.rotation_deg > MIN_ROTATION_DEG and inliers >= min_rotated:
        return (
            f"few inliers: {_inlier_count(statistics)}, which suggest a relative rotation of "
            f"{statistics.rotation_deg:.0f} degrees{ROTATION_ADVICE}"
        )
    if matches < MIN_MATCHED_RATIO * keypoints:
        return f"low matchability: {matches} of {keypoints} keypoints matched, {inliers} inliers"
    if 0 < statistics.coverage < MIN_COVERAGE:
        return f"few inliers: {_inlier_count(statistics)}, covering only {100 * statistics.coverage:.1f} % of an image"
    return f"few inliers: {_inlier_count(statistics)}"


def _support(statistics: PairStatistics) -> str:
    return f"{statistics.num_inliers} inliers of {statistics.num_matches} matches"


def _inlier_count(statistics: PairStatistics) -> str:
    return f"{statistics.num_inliers} of {statistics.num_matches} matches"
