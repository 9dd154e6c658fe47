"""The record of the calibration, and the error of single matches."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.precision.calibrated import DEFAULT, evaluate, read_measured
from benchmarks.precision.curves import fit
from benchmarks.precision.pairs import errors_px, read_scenes
from benchmarks.records import read_record
from tests.helpers.paths import RECORDS

from tiepoint.evaluation.ground_truth import EvaluationPair, HomographyGroundTruth, PoseGroundTruth
from tiepoint.evaluation.resized_coordinates import MatchedPair
from tiepoint.matching.precision import CALIBRATIONS, SCORES
from tiepoint.types import Camera


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    record = read_record(RECORDS, "precision.json")
    assert record is not None
    return record


def test_the_calibrations_are_those_of_the_record(record: dict[str, Any]) -> None:
    assert {preset: tuple(row) for preset, row in record["rows"].items()} == CALIBRATIONS
    assert record["scores"] == list(SCORES)


def test_the_rows_can_be_fitted_again_from_the_record(record: dict[str, Any]) -> None:
    default = [group for group in read_measured(record) if group.setting == DEFAULT]
    assert {group.preset: fit(group.fitted) for group in default} == record["rows"]


def test_no_scene_is_in_both_halves(record: dict[str, Any]) -> None:
    names = record["scenes"]["name"]
    assert len(set(names)) == len(names)
    assert {"fit", "test"} == set(record["scenes"]["half"])


def test_higher_thresholds_are_more_precise_on_held_out_scenes(record: dict[str, Any]) -> None:
    for group in read_measured(record):
        low, high = (evaluate(group, SCORES.index(score)) for score in (0.1, 0.9))
        assert low.precision < high.precision
        assert low.retained == 1 > high.retained
        assert low.two_scenes >= high.two_scenes


def matched(points0: list, points1: list) -> MatchedPair:
    count = len(points0)
    return MatchedPair(
        keypoints0=np.array(points0, float),
        keypoints1=np.array(points1, float),
        matches=np.column_stack([np.arange(count)] * 2),
        scores=np.ones(count),
        image_size0=(512, 256),
        image_size1=(512, 256),
    )


def pair(truth: HomographyGroundTruth | PoseGroundTruth) -> EvaluationPair:
    return EvaluationPair(name="a", scene="a", image0=Path("a"), image1=Path("b"), truth=truth)


def test_errors_are_in_px_of_the_scaled_images() -> None:
    """The longer side is scaled from 512 to 1024 px."""
    shift = np.array([[1.0, 0, 10], [0, 1, 0], [0, 0, 1]])
    points = [[50, 60], [100, 20]], [[60, 60], [110, 23]]
    errors = errors_px(pair(HomographyGroundTruth(homography=shift)), matched(*points))
    np.testing.assert_allclose(errors, [0, 6], atol=1e-9)


def test_errors_of_a_pose_are_distances_from_epipolar_lines() -> None:
    """For a translation along x, the lines are the rows."""
    camera = Camera.from_intrinsics(np.array([[500.0, 0, 255.5], [0, 500, 127.5], [0, 0, 1]]), (512, 256))
    pose = np.column_stack([np.eye(3), [1.0, 0, 0]])
    truth = PoseGroundTruth(camera0=camera, camera1=camera, cam1_from_cam0=pose)
    errors = errors_px(pair(truth), matched([[50, 60], [100, 20]], [[200, 60], [300, 22]]))
    np.testing.assert_allclose(errors, [0, 4], atol=1e-9)


@pytest.mark.real
def test_scenes_with_coarse_or_sparse_ground_truth_are_left_out(shared_data: Path) -> None:
    scenes = read_scenes(shared_data)
    names = {scene.name for scene in scenes}
    assert {"graf", "door", "Cones"} <= names
    assert names.isdisjoint({"rushmore", "amosFence", "Kyoto"})
    assert {scene.truth for scene in scenes} == {"homography", "pose", "disparity"}
    assert max(len(scene.pairs) for scene in scenes) <= 6
