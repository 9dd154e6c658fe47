"""Stage 2: score the predictions in the store, one result per pair."""

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
from tiepoint.io.progress import ProgressCallback, no_progress, track
from tiepoint.types import TwoViewEstimate

Values: TypeAlias = dict[str, float]

ANNOTATED_PX = range(1, 21)
# Thresholds in px of the mean average accuracy (mAA) of annotated points (WxBS)


def score(
    pairs: Sequence[EvaluationPair],
    predictions: Predictions,
    setup: Setup,
    *,
    progress: ProgressCallback = no_progress,
) -> tuple[list[PairResult], list[str]]:
    """Score predictions.

    Args:
        pairs: Evaluation pairs; those without predictions are skipped.
        predictions: Predictions of stage 1.
        setup: Settings of the protocol.
        progress: Callback that shows the progress.

    Returns:
        Results per pair, and messages about pairs whose ground truth is inconsistent with their images.

    Raises:
        StoreError: If the store is damaged.
        MissingDependency: If the estimator of the protocol is not installed.
    """
    rows: list[PairResult] = []
    problems: list[str] = []
    known = [pair for pair in pairs if pair.name in predictions.images]
    for pair in track(known, f"score {len(known)} pairs", progress):
        matched = read_matched(predictions, pair.name)
        try:
            rows.append(score_pair(pair, matched, setup))
        except InvalidInput as error:
            problems.append(f"{pair.name}: {error}")
    return rows, problems


def read_matched(predictions: Predictions, name: str) -> MatchedPair:
    """Read the predictions of a pair from the store."""
    images = predictions.images[name]
    first, second = (predictions.store.read("features", image, "keypoints") for image in images)
    matched = predictions.store.read("matches", pair_key(images))
    return MatchedPair(
        keypoints0=first["keypoints"].astype(np.float64),
        keypoints1=second["keypoints"].astype(np.float64),
        matches=matched["matches"],
        scores=matched["scores"],
        image_size0=(first["width"], first["height"]),
        image_size1=(second["width"], second["height"]),
        seconds={
            "extract": first["seconds_extract"] + second["seconds_extract"],
            "match": matched["seconds_match"],
        },
    )


def score_pair(pair: EvaluationPair, matched: MatchedPair, setup: Setup) -> PairResult:
    """Score one pair.

    Args:
        pair: Evaluation pair with ground truth.
        matched: Predictions in px of the original images.
        setup: Settings of the protocol.

    Raises:
        InvalidInput: If the ground truth is inconsistent with the images: intrinsics of another image size, or a
            distortion that cannot be inverted.
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
    """Return the corner error of the estimated homography, and precision and recall of the matches."""

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
    """Return the error of the estimated pose, and the epipolar precision of the matches."""
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


def score_annotated(truth: PointsGroundTruth, matched: MatchedPair, scoring: Scoring) -> Values:
    """Return the fraction of annotated points near the epipolar lines of the estimated fundamental matrix."""

    def errors(estimate: TwoViewEstimate) -> Values:
        distances = metrics.epipolar_errors_px(truth.points0, truth.points1, estimate.matrix)
        maa = metrics.mean_average_accuracy(distances, ANNOTATED_PX)
        return {"marked_maa": maa, **_within("marked_within", distances, (1, 3, 5, 10, 20))}

    return _runs(lambda **options: estimate_fundamental(matched, **options), errors, scoring)


def score_rectified(truth: DisparityGroundTruth, matched: MatchedPair, scoring: Scoring) -> Values:
    """Return the fraction of matches near the ground-truth disparity, where it is known."""
    distances = metrics.disparity_errors_px(matched.points0, matched.points1, read_disparity(truth))
    return {
        "num_checked": int((~np.isnan(distances)).sum()),
        **_within("disparity_within", distances, (1, 3)),
    }


SCORERS: dict[type, tuple[str, Callable[[Any, MatchedPair, Scoring], Values]]] = {
    HomographyGroundTruth: ("homography", score_planar),
    PoseGroundTruth: ("pose", score_posed),
    PointsGroundTruth: ("points", score_annotated),
    DisparityGroundTruth: ("disparity", score_rectified),
}
# Type of ground truth -> its name in reports and the function that scores a pair


def _runs(
    estimate: Callable[..., TwoViewEstimate], errors: Callable[[TwoViewEstimate], Values], scoring: Scoring
) -> Values:
    """Estimate with consecutive seeds and return the median of each value over the runs."""
    results: list[Values] = []
    for run in range(scoring.runs):
        start = perf_counter()
        result = estimate(
            method=scoring.estimator, max_error_px=scoring.max_error_px, seed=scoring.seed + run
        )
        seconds = perf_counter() - start
        results.append({"num_inliers": result.num_inliers, "seconds_estimate": seconds, **errors(result)})
    return {name: float(np.median([values[name] for values in results])) for name in results[0]}


def _within(name: str, errors: np.ndarray, thresholds_px: Sequence[int]) -> Values:
    fractions = metrics.accuracy(errors, thresholds_px)
    return {f"{name}_{px}px": float(value) for px, value in zip(thresholds_px, fractions, strict=True)}
