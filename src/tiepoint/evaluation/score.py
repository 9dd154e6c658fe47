"""Loop 2: from the store to one row of numbers a pair."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets import read_disparity
from tiepoint.evaluation.ground_truth import (
    DisparityGroundTruth,
    EvaluationPair,
    GroundTruth,
    HomographyGroundTruth,
    PointsGroundTruth,
    PoseGroundTruth,
)
from tiepoint.evaluation.predict import Predictions
from tiepoint.evaluation.protocols import Scoring, Setup
from tiepoint.evaluation.report import PairResult
from tiepoint.evaluation.resized_coordinates import MatchedPair, resized
from tiepoint.feature_store.keys import pair_key
from tiepoint.geometry import metrics
from tiepoint.geometry.estimate import estimate_fundamental, estimate_homography, estimate_relative_pose
from tiepoint.geometry.intrinsics import undistort
from tiepoint.io.progress import Track, untracked
from tiepoint.types import TwoViewEstimate

Values: TypeAlias = dict[str, float]

MARKED_PX = range(1, 21)
"""The thresholds of hand-marked points whose mean is the mAA (WxBS)."""


def score(
    pairs: Sequence[EvaluationPair],
    predictions: Predictions,
    setup: Setup,
    *,
    track: Track = untracked,
) -> tuple[list[PairResult], list[str]]:
    """Score what was predicted.

    Args:
        pairs: those without predictions are left out.
        predictions: of loop 1.
        setup: of the protocol.
        track: shows progress.

    Returns:
        One row a pair; and pairs whose truth does not fit the images, one line each.

    Raises:
        StoreError: the store is damaged.
        MissingDependency: the protocol's estimator isn't installed.
    """
    rows: list[PairResult] = []
    problems: list[str] = []
    known = [pair for pair in pairs if pair.name in predictions.images]
    for pair in track(known, f"score {len(known)} pairs"):
        matched = read_matched(predictions, pair.name)
        try:
            rows.append(score_pair(pair, matched, setup))
        except InvalidInput as error:
            problems.append(f"{pair.name}: {error}")
    return rows, problems


def read_matched(predictions: Predictions, name: str) -> MatchedPair:
    """What the store holds of a pair."""
    images = predictions.images[name]
    first, second = (predictions.store.read("features", image, "keypoints") for image in images)
    found = predictions.store.read("matches", pair_key(images))
    return MatchedPair(
        keypoints0=first["keypoints"].astype(np.float64),
        keypoints1=second["keypoints"].astype(np.float64),
        matches=found["matches"],
        scores=found["scores"],
        image_size0=(first["width"], first["height"]),
        image_size1=(second["width"], second["height"]),
        seconds={
            "extract": first["seconds_extract"] + second["seconds_extract"],
            "match": found["seconds_match"],
        },
    )


def score_pair(pair: EvaluationPair, matched: MatchedPair, setup: Setup) -> PairResult:
    """One row.

    Args:
        pair: with its truth.
        matched: in px of the original images.
        setup: of the protocol.

    Raises:
        InvalidInput: the truth does not fit the images: intrinsics of another image size, a distortion that can't
            be undone.
    """
    truth: GroundTruth = pair.truth
    if setup.scoring.frame == "resized":
        matched, truth = resized(matched, truth, setup.prediction)
    name, scorer = SCORERS[type(truth)]
    values = {
        "num_keypoints": (len(matched.keypoints0) + len(matched.keypoints1)) / 2,
        "num_matches": len(matched.matches),
        **{f"seconds_{stage}": seconds for stage, seconds in matched.seconds.items()},
        **scorer(truth, matched, setup.scoring),
    }
    known = {key: float(value) for key, value in values.items() if not np.isnan(value)}
    return PairResult(pair=pair.name, scene=pair.scene, truth=name, tags=dict(pair.tags), values=known)


def score_planar(truth: HomographyGroundTruth, matched: MatchedPair, scoring: Scoring) -> Values:
    """Corner error of the estimated homography, precision and recall of the matches."""

    def errors(estimate: TwoViewEstimate) -> Values:
        return {"corner_error_px": metrics.corner_error_px(estimate.matrix, truth.homography, size)}

    size = matched.image_size0
    dlt = estimate_homography(matched, method="dlt", max_error_px=scoring.max_error_px)
    distances = metrics.homography_errors_px(matched.points0, matched.points1, truth.homography)
    recall = metrics.homography_recall(
        matched.matches, matched.keypoints0, matched.keypoints1, truth.homography
    )
    return {
        **_runs(lambda **options: estimate_homography(matched, **options), errors, scoring),
        "corner_error_dlt_px": errors(dlt)["corner_error_px"],
        **_within("precision", distances, (1, 3, 5)),
        "recall_3px": recall,
    }


def score_posed(truth: PoseGroundTruth, matched: MatchedPair, scoring: Scoring) -> Values:
    """Error of the estimated pose, and share of the matches that agree with the true one."""
    cameras = {"camera0": truth.camera0, "camera1": truth.camera1}

    def errors(estimate: TwoViewEstimate) -> Values:
        return {"pose_error_deg": metrics.pose_error_deg(estimate.cam1_from_cam0, truth.cam1_from_cam0)}

    return {
        **_runs(lambda **options: estimate_relative_pose(matched, **cameras, **options), errors, scoring),
        "epipolar_precision": metrics.epipolar_precision(
            undistort(matched.points0, truth.camera0),
            undistort(matched.points1, truth.camera1),
            truth.cam1_from_cam0,
            truth.camera0.intrinsics,
            truth.camera1.intrinsics,
        ),
    }


def score_marked(truth: PointsGroundTruth, matched: MatchedPair, scoring: Scoring) -> Values:
    """Share of the hand-marked points that lie near the lines of the estimated fundamental matrix."""

    def errors(estimate: TwoViewEstimate) -> Values:
        distances = metrics.epipolar_errors_px(truth.points0, truth.points1, estimate.matrix)
        maa = metrics.mean_average_accuracy(distances, MARKED_PX)
        return {"marked_maa": maa, **_within("marked_within", distances, (1, 3, 5, 10, 20))}

    return _runs(lambda **options: estimate_fundamental(matched, **options), errors, scoring)


def score_rectified(truth: DisparityGroundTruth, matched: MatchedPair, scoring: Scoring) -> Values:
    """Share of the matches near the measured disparity, where it is known."""
    distances = metrics.disparity_errors_px(matched.points0, matched.points1, read_disparity(truth))
    return {
        "num_checked": int((~np.isnan(distances)).sum()),
        **_within("disparity_within", distances, (1, 3)),
    }


SCORERS: dict[type, tuple[str, Callable[[Any, MatchedPair, Scoring], Values]]] = {
    HomographyGroundTruth: ("homography", score_planar),
    PoseGroundTruth: ("pose", score_posed),
    PointsGroundTruth: ("points", score_marked),
    DisparityGroundTruth: ("disparity", score_rectified),
}
"""Kind of truth -> its name in reports, and what scores a pair of it."""


def _runs(
    estimate: Callable[..., TwoViewEstimate], errors: Callable[[TwoViewEstimate], Values], scoring: Scoring
) -> Values:
    """Estimate with one seed after the other; each value is the median over the runs."""
    found: list[Values] = []
    for run in range(scoring.runs):
        start = perf_counter()
        result = estimate(
            method=scoring.estimator, max_error_px=scoring.max_error_px, seed=scoring.seed + run
        )
        seconds = perf_counter() - start
        found.append({"num_inliers": result.num_inliers, "seconds_estimate": seconds, **errors(result)})
    return {name: float(np.median([values[name] for values in found])) for name in found[0]}


def _within(name: str, errors: np.ndarray, thresholds_px: Sequence[int]) -> Values:
    shares = metrics.accuracy(errors, thresholds_px)
    return {f"{name}_{px}px": float(share) for px, share in zip(thresholds_px, shares, strict=True)}
