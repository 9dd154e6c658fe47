"""Matches and ground truth in px of the resized images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.known_matches import POSE, K, grid, matched_points, pair_of, seen_from_two_cameras

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.ground_truth import (
    DisparityGroundTruth,
    HomographyGroundTruth,
    PointsGroundTruth,
    PoseGroundTruth,
)
from tiepoint.evaluation.protocols import PROTOCOLS, Prediction, Scoring, Setup
from tiepoint.evaluation.resized_coordinates import matrix, resized
from tiepoint.evaluation.score import score_pair
from tiepoint.geometry.multiview import warp_points
from tiepoint.image import ImageTransform
from tiepoint.types import Camera

PROTOCOL = PROTOCOLS["tiepoint"]


def test_errors_are_in_px_of_the_frame_of_the_protocol():
    """Half the size, half the error; thresholds are px of the same frame."""
    points0 = grid()
    matched = matched_points(points0, points0 + np.array([2, 0]))
    truth = pair_of(HomographyGroundTruth(homography=np.eye(3)))
    prediction = Prediction(resize=320)
    errors = {
        frame: score_pair(truth, matched, Setup(prediction=prediction, scoring=Scoring(frame=frame))).values
        for frame in ("original", "resized")
    }
    assert errors["original"]["corner_error_px"] == pytest.approx(2, abs=1e-3)
    assert errors["resized"]["corner_error_px"] == pytest.approx(1, abs=1e-3)
    assert errors["resized"]["precision_3px"] == 1
    assert errors["original"]["precision_1px"] == 0


def test_ground_truth_is_converted_with_the_points():
    """Ground truth holds in resized coordinates; sides are integers, so the scales of x and y differ."""
    prediction = Prediction(resize=100)
    points0, points1 = seen_from_two_cameras()
    matched = replace(matched_points(points0, points1), image_size0=(641, 333), image_size1=(333, 477))
    H = np.array([[1.1, 0.1, 5], [-0.05, 0.9, 7], [1e-4, 2e-4, 1]])
    moved, truth = resized(matched, HomographyGroundTruth(homography=H), prediction)
    assert isinstance(truth, HomographyGroundTruth)
    assert moved.image_size0 == (100, 52)
    assert moved.image_size1 == (70, 100)
    to_resized1 = ImageTransform.fit((333, 477), 100)
    expected = warp_points(warp_points(points0, H), matrix(to_resized1))
    np.testing.assert_allclose(warp_points(moved.points0, truth.homography), expected, rtol=1e-6)
    camera = Camera.from_intrinsics(K, None, distortion=(0.1, 0.0, 0.01))
    _, posed = resized(
        matched, PoseGroundTruth(camera0=camera, camera1=camera, cam1_from_cam0=POSE), prediction
    )
    assert isinstance(posed, PoseGroundTruth)
    rays = (points0 - K[:2, 2]) / (K[0, 0], K[1, 1])
    again = rays * posed.camera0.focal_lengths + posed.camera0.principal_point
    np.testing.assert_allclose(again, moved.points0, atol=1e-4)
    assert posed.camera0.distortion == camera.distortion
    _, marked = resized(matched, PointsGroundTruth(points0=points0, points1=points1, motions=2), prediction)
    assert isinstance(marked, PointsGroundTruth)
    np.testing.assert_allclose(marked.points1, moved.points1)
    assert marked.motions == 2
    disparity = DisparityGroundTruth(path=Path("d.png"), scale=1.0)
    assert resized(matched, disparity, prediction) == (matched, disparity)


@pytest.mark.parametrize("frame", ["original", "resized"])
def test_intrinsics_of_another_image_size_are_refused(frame: str):
    points0, points1 = seen_from_two_cameras()
    camera, other = (Camera.from_intrinsics(K, size) for size in ((640, 480), (800, 600)))
    setup = Setup(prediction=Prediction(resize=320), scoring=Scoring(frame=frame))  # type: ignore[arg-type]
    right = PoseGroundTruth(camera0=camera, camera1=camera, cam1_from_cam0=POSE)
    assert score_pair(pair_of(right), matched_points(points0, points1), setup).values["pose_error_deg"] < 0.1
    wrong = PoseGroundTruth(camera0=camera, camera1=other, cam1_from_cam0=POSE)
    with pytest.raises(InvalidInput, match=r"640 x 480"):
        score_pair(pair_of(wrong), matched_points(points0, points1), setup)
