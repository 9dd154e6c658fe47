"""Stage 2: results against manually computed values."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.helpers.known_matches import (
    POSE,
    ROTATION,
    K,
    grid,
    matched_points,
    pair_of,
    seen_from_two_cameras,
)
from tests.helpers.shift_dataset import SIZE, ShiftPredictor, shifted_dataset

from tiepoint.evaluation.ground_truth import (
    DisparityGroundTruth,
    HomographyGroundTruth,
    PointsGroundTruth,
    PoseGroundTruth,
)
from tiepoint.evaluation.predict import predict
from tiepoint.evaluation.protocols import PROTOCOLS, Scoring, Setup
from tiepoint.evaluation.score import score, score_pair
from tiepoint.feature_store import Store
from tiepoint.types import Camera

PROTOCOL = PROTOCOLS["tiepoint"]


def test_homography_metrics_against_manual_values():
    """All points of image 1 are 2 px too far to the right, half of them 3 px too far down as well."""
    points0 = grid()
    points1 = points0 + np.array([2, 0])
    exact = score_pair(
        pair_of(HomographyGroundTruth(homography=np.eye(3))),
        matched_points(points0, points1),
        PROTOCOL.planar,
    )
    assert exact.values["corner_error_px"] == pytest.approx(2, abs=1e-3)
    assert exact.values["corner_error_dlt_px"] == pytest.approx(2, abs=1e-6)
    points1[::2] += (0, 3)  # sqrt(13) px off
    row = score_pair(
        pair_of(HomographyGroundTruth(homography=np.eye(3))),
        matched_points(points0, points1),
        PROTOCOL.planar,
    )
    assert row.values["precision_1px"] == 0
    assert row.values["precision_3px"] == 0.5
    assert row.values["precision_5px"] == 1
    assert row.values["seconds_extract"] == 1.5
    assert row.tags == {"gap": 2.0}


def test_pose_metrics_against_manual_values():
    points0, points1 = seen_from_two_cameras()
    camera = Camera.from_intrinsics(K, (640, 480))
    truth = PoseGroundTruth(camera0=camera, camera1=camera, cam1_from_cam0=POSE)
    row = score_pair(pair_of(truth), matched_points(points0, points1), PROTOCOL.posed)
    assert row.truth == "pose"
    assert row.values["pose_error_deg"] < 0.01
    assert row.values["epipolar_precision"] == 1
    angle = math.radians(10)
    about_y = np.array(
        [[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]]
    )
    turned = PoseGroundTruth(
        camera0=camera, camera1=camera, cam1_from_cam0=np.column_stack([about_y @ ROTATION, POSE[:, 3]])
    )
    wrong = score_pair(pair_of(turned), matched_points(points0, points1), PROTOCOL.posed)
    assert wrong.values["pose_error_deg"] == pytest.approx(10, abs=0.02)
    assert wrong.values["epipolar_precision"] < 0.2


def test_lens_distortion_is_corrected():
    points0, points1 = seen_from_two_cameras()
    inside = (np.abs(np.hstack([points0, points1]) - 300) < 400).all(axis=1)
    k1 = -0.3

    def distorted(points: np.ndarray) -> np.ndarray:
        rays = (points - K[:2, 2]) / (K[0, 0], K[1, 1])
        return rays * (1 + k1 * (rays**2).sum(axis=1, keepdims=True)) * (K[0, 0], K[1, 1]) + K[:2, 2]

    matched = matched_points(distorted(points0[inside]), distorted(points1[inside]))
    for distortion, precise in (((k1,), True), (None, False)):
        camera = Camera.from_intrinsics(K, (640, 480), distortion=distortion)
        truth = PoseGroundTruth(camera0=camera, camera1=camera, cam1_from_cam0=POSE)
        row = score_pair(pair_of(truth), matched, PROTOCOL.posed)
        assert (row.values["pose_error_deg"] < 0.05) == precise
        assert (row.values["epipolar_precision"] == 1) == precise


def test_annotated_points_against_manual_values():
    """Two annotated points fit exactly, one is 6.5 px from its epipolar line: within 14 of 20 thresholds."""
    points0, points1 = seen_from_two_cameras()
    camera = np.linalg.inv(K)
    t = POSE[:, 3]
    cross = np.array([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]])
    F = camera.T @ cross @ POSE[:, :3] @ camera
    line = F @ np.append(points0[2], 1)
    marked0, marked1 = points0[:3].copy(), points1[:3].copy()
    marked1[2] += 6.5 * line[:2] / np.linalg.norm(line[:2])
    back = F.T @ np.append(marked1[2], 1)
    in_image0 = abs(back @ np.append(marked0[2], 1)) / np.linalg.norm(back[:2])
    worst = max(6.5, in_image0)
    row = score_pair(
        pair_of(PointsGroundTruth(points0=marked0, points1=marked1)),
        matched_points(points0, points1),
        PROTOCOL.posed,
    )
    taken = sum(worst < px for px in range(1, 21))
    assert 0 < taken < 20
    assert row.values["marked_maa"] == pytest.approx((2 + taken / 20) / 3, abs=1e-6)
    assert row.values["marked_within_1px"] == pytest.approx(2 / 3)
    assert row.values["marked_within_20px"] == 1


def test_disparity_metrics_against_manual_values(tmp_path: Path):
    """Stored 40 at a scale of 4: ten px; the right half is unknown."""
    stored = np.full((48, 64), 40, np.uint8)
    stored[:, 32:] = 0
    PIL.Image.fromarray(stored).save(tmp_path / "disparity.png")
    points0 = np.array([[20.0, 10], [25, 20], [30, 30], [50, 10]])
    points1 = points0 - (10, 0) + [(0, 0), (2, 0), (0, 5), (0, 0)]
    truth = DisparityGroundTruth(path=tmp_path / "disparity.png", scale=4.0)
    row = score_pair(pair_of(truth), matched_points(points0, points1, SIZE), PROTOCOL.posed)
    assert row.truth == "disparity"
    assert row.values["num_checked"] == 3
    assert row.values["disparity_within_1px"] == pytest.approx(1 / 3)
    assert row.values["disparity_within_3px"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_matches_are_failures(count: int):
    """Failures are infinite errors, never an identity; fractions of no matches are 0."""
    points = grid(count).reshape(-1, 2)
    camera = Camera.from_intrinsics(K, (640, 480))
    truths = (
        HomographyGroundTruth(homography=np.eye(3)),
        PoseGroundTruth(camera0=camera, camera1=camera, cam1_from_cam0=POSE),
        PointsGroundTruth(points0=grid(5), points1=grid(5)),
    )
    rows = [score_pair(pair_of(truth), matched_points(points, points), PROTOCOL.posed) for truth in truths]
    assert rows[0].values["corner_error_px"] == math.inf
    assert rows[1].values["pose_error_deg"] == math.inf
    assert rows[2].values["marked_maa"] == 0
    assert all(row.values["num_inliers"] == 0 for row in rows)
    assert all(not math.isnan(value) for row in rows for value in row.values.values())


def test_undefined_results_are_omitted():
    points = np.zeros((0, 2))
    row = score_pair(
        pair_of(HomographyGroundTruth(homography=np.eye(3))), matched_points(points, points), PROTOCOL.planar
    )
    assert "recall_3px" not in row.values


def test_the_value_is_the_median_over_seeds(monkeypatch: pytest.MonkeyPatch):
    seeds, wanted = [], {7: np.diag([1.0, 1, 1]), 8: None, 9: np.array([[1.0, 0, 4], [0, 1, 0], [0, 0, 1]])}
    points = grid()
    truth = HomographyGroundTruth(homography=np.eye(3))
    from tiepoint.evaluation import score as module

    real = module.estimate_homography

    def fake(matched, *, method, max_error_px, seed=None):
        found = real(matched, method="dlt", max_error_px=max_error_px)
        if seed is None:
            return found
        seeds.append(seed)
        H = wanted[seed]
        if H is None:
            return replace(
                found, matrix=None, inliers=np.zeros(len(points), bool), reason="as the test wants"
            )
        return replace(found, matrix=H)

    monkeypatch.setattr(module, "estimate_homography", fake)
    setup = Setup(scoring=Scoring(runs=3, seed=7))
    row = score_pair(pair_of(truth), matched_points(points, points), setup)
    assert seeds == [7, 8, 9]
    assert row.values["corner_error_px"] == pytest.approx(4)


def test_inconsistent_ground_truth_is_reported(tmp_path: Path):
    """The disparity map was deleted after it was first read."""
    (pair,) = shifted_dataset(tmp_path, (0, 2)).pairs
    gone = replace(pair, name="gone", truth=DisparityGroundTruth(path=tmp_path / "gone.png", scale=1.0))
    predictions = predict([pair, gone], ShiftPredictor(), Store(tmp_path / "store", {}))
    rows, problems = score([pair, gone], predictions, PROTOCOL.planar)
    assert [row.pair for row in rows] == [pair.name]
    assert len(problems) == 1
    assert problems[0].startswith("gone: ")
