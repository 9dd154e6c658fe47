"""Do these two photographs show the same place? A probability and the reason, from what matching found anyway.

Both images are scaled to one size, a homography and a fundamental matrix are estimated from the strongest matches, and
a logistic model turns what agrees into a probability. `MODELS` holds its coefficients, one row a kind of matcher, as
benchmarks/verdict.py fitted them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

from tiepoint.geometry.estimate import estimate_fundamental, estimate_homography
from tiepoint.geometry.multiview import sampson_distances, transfer_errors
from tiepoint.types import Features, TwoViewEstimate

SAME_PLACE = 0.5
"""Probability from which on two photographs are taken to show the same place."""

LONGER_SIDE = 1024
"""Length in px to which both images are scaled, so that the verdict doesn't depend on their resolution."""

MAX_ERROR_PX = 2.0
"""An inlier's largest error, in px of the scaled images."""

STRONGEST = 500
"""Matches from which geometry is estimated: enough, and quick; all are then tested against it."""

FEW_KEYPOINTS = 100
LOW_MATCHABILITY = 0.05
SMALL_AREA = 0.02
FEWEST_TURNED = 8
SHARE_TURNED = 0.3
TURNED_DEG = 45.0
"""What reasons are given by; probabilities don't depend on these."""


@runtime_checkable
class Pair(Protocol):
    """What is judged: a MatchResult."""

    @property
    def features0(self) -> Features:
        """Of image 0."""
        ...

    @property
    def features1(self) -> Features:
        """Of image 1."""
        ...

    @property
    def points0(self) -> np.ndarray:
        """(k, 2): (x, y) in px of image 0."""
        ...

    @property
    def points1(self) -> np.ndarray:
        """(k, 2): where the same physical points are in image 1."""
        ...

    @property
    def scores(self) -> np.ndarray:
        """(k,): confidence of each match."""
        ...

    @property
    def layers_run(self) -> int:
        """Layers of the matching network; 0 where it has none."""
        ...

    @property
    def rotation1(self) -> int:
        """Degrees counter-clockwise by which image 1 was turned before it was matched."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What matching and estimation found.

    Attributes:
        matcher: key of `MODELS`.
        num_keypoints: of the image that has fewer.
        num_matches: of the pair.
        mean_score: of the matches; 0 without any.
        num_fundamental: matches that agree on a fundamental matrix; 0 where there is none.
        num_homography: matches that agree on a homography; 0 where there is none.
        coverage: share of the image over which the matches that agree spread, of the image where that is less.
        turn_deg: by how much image 1 is turned beyond `rotation1`, in [0, 180], if the matches that agree are right.
    """

    matcher: str
    num_keypoints: int
    num_matches: int
    mean_score: float
    num_fundamental: int
    num_homography: int
    coverage: float
    turn_deg: float

    @property
    def num_inliers(self) -> int:
        """Matches that agree on one geometry, whichever explains more."""
        return max(self.num_fundamental, self.num_homography)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairVerification:
    """Whether two photographs show the same place.

    Attributes:
        probability: that they do, in [0, 1], where as many pairs do as don't; 0 without matches.
        same_place: whether that is at least `SAME_PLACE`.
        reason: in words.
        num_inliers: matches that agree on one geometry, a homography or a fundamental matrix.
    """

    probability: float
    same_place: bool
    reason: str
    num_inliers: int


MODELS: dict[str, tuple[float, ...]] = {
    "lightglue": (-6.443, 1.008, 0.245, 5.439),
    "nearest": (-12.579, 0.29, 1.042, 18.407),
}
"""Kind of matcher -> bias, and the weights of `columns`."""


def verify_pair(pair: Pair) -> PairVerification:
    """Judge a pair; the same matches give the same verdict.

    Args:
        pair: with all its matches; a selection of them would look surer than it is.
    """
    return judge(gather(pair))


def gather(pair: Pair) -> Evidence:
    """Estimate geometry, and count what speaks for the pair."""
    points0, points1 = _scaled(pair.points0, pair.features0), _scaled(pair.points1, pair.features1)
    fundamental, homography = _agreeing(points0, points1, pair.scores)
    best = fundamental if fundamental.sum() > homography.sum() else homography
    return Evidence(
        matcher="lightglue" if pair.layers_run else "nearest",  # which has no layers
        num_keypoints=min(len(pair.features0), len(pair.features1)),
        num_matches=len(points0),
        mean_score=float(pair.scores.mean()) if len(points0) else 0.0,
        num_fundamental=int(fundamental.sum()),
        num_homography=int(homography.sum()),
        coverage=min(_coverage(points0[best], pair.features0), _coverage(points1[best], pair.features1)),
        turn_deg=_turn_deg(points0[best], points1[best], pair.rotation1),
    )


def judge(evidence: Evidence) -> PairVerification:
    """The probability by the logistic model, and the reason."""
    probability = _probability(evidence) if evidence.num_matches else 0.0
    same_place = probability >= SAME_PLACE
    return PairVerification(
        probability=probability,
        same_place=same_place,
        reason=_agreement(evidence) if same_place else _doubt(evidence),
        num_inliers=evidence.num_inliers,
    )


def columns(evidence: Evidence) -> tuple[float, ...]:
    """What the logistic model weighs; docs/log.md says what was left out and why."""
    return (
        math.log1p(evidence.num_inliers),
        math.log1p(evidence.num_homography),
        evidence.mean_score,
    )


def _probability(evidence: Evidence) -> float:
    bias, *weights = MODELS[evidence.matcher]
    return 1 / (1 + math.exp(-bias - float(np.dot(weights, columns(evidence)))))


def _scaled(points: np.ndarray, features: Features) -> Float[np.ndarray, "k 2"]:
    return points.astype(np.float64) * (LONGER_SIDE / max(features.image_size))


def _agreeing(
    points0: Float[np.ndarray, "k 2"], points1: Float[np.ndarray, "k 2"], scores: np.ndarray
) -> tuple[Bool[np.ndarray, "k"], Bool[np.ndarray, "k"]]:
    """Matches that agree on a fundamental matrix, and those that agree on a homography."""
    strongest = np.argsort(-scores, kind="stable")[:STRONGEST]
    some0, some1 = points0[strongest], points1[strongest]
    F = estimate_fundamental(some0, some1, max_error_px=MAX_ERROR_PX)
    H = estimate_homography(some0, some1, max_error_px=MAX_ERROR_PX)
    return _inliers(F, points0, points1, sampson_distances), _inliers(H, points0, points1, transfer_errors)


def _inliers(
    estimate: TwoViewEstimate,
    points0: Float[np.ndarray, "k 2"],
    points1: Float[np.ndarray, "k 2"],
    errors: Callable[..., np.ndarray],
) -> Bool[np.ndarray, "k"]:
    if estimate.matrix is None:
        return np.zeros(len(points0), dtype=bool)
    return errors(points0, points1, estimate.matrix) <= MAX_ERROR_PX


def _coverage(points: Float[np.ndarray, "k 2"], features: Features) -> float:
    """1 for points all over the image: an even distribution over w x h has variances w^2 / 12 and h^2 / 12."""
    if len(points) < 3:
        return 0.0
    width, height = (side * LONGER_SIDE / max(features.image_size) for side in features.image_size)
    spread = math.sqrt(max(0.0, float(np.linalg.det(np.cov(points.T)))))
    return min(1.0, 12 * spread / (width * height))


def _turn_deg(points0: Float[np.ndarray, "k 2"], points1: Float[np.ndarray, "k 2"], rotation1: int) -> float:
    """The angle of the rotation that best brings one cloud of points onto the other, once image 1 is turned."""
    if len(points0) == 0:
        return 0.0
    (xx, xy), (yx, yy) = (points0 - points0.mean(axis=0)).T @ (points1 - points1.mean(axis=0))
    angle = math.degrees(math.atan2(xy - yx, xx + yy)) - rotation1  # y is down: clockwise is positive
    return abs((angle + 180) % 360 - 180)


def _agreement(evidence: Evidence) -> str:
    return f"{evidence.num_inliers} of {evidence.num_matches} matches agree on one geometry"


def _doubt(evidence: Evidence) -> str:
    """What speaks most against the pair."""
    keypoints, matches = evidence.num_keypoints, evidence.num_matches
    if keypoints == 0:
        return "no keypoints in at least one image: blank, blurred, or all under the mask"
    if matches == 0:
        return f"no matches among {keypoints} keypoints"
    if keypoints < FEW_KEYPOINTS:
        return f"few keypoints: {keypoints}, of which {matches} match and {evidence.num_inliers} agree"
    if evidence.turn_deg > TURNED_DEG and evidence.num_inliers >= max(FEWEST_TURNED, SHARE_TURNED * matches):
        return (
            f"{_few_inliers(evidence)}, and by these one image is turned by {evidence.turn_deg:.0f} degrees: "
            "if that may be so, try rotations='auto'"
        )
    if matches < LOW_MATCHABILITY * keypoints:
        return f"low matchability: only {matches} of {keypoints} keypoints match, {evidence.num_inliers} of them agree"
    if 0 < evidence.coverage < SMALL_AREA:
        return f"{_few_inliers(evidence)}, and these cover only {100 * evidence.coverage:.1f} % of an image"
    return _few_inliers(evidence)


def _few_inliers(evidence: Evidence) -> str:
    return f"few inliers: {evidence.num_inliers} of {evidence.num_matches} matches agree on one geometry"
