"""Loop 2: rows against numbers computed by hand."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.helpers.shift_dataset import COUNT, SIZE, ShiftPredictor, shifted_dataset

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.evaluate import evaluate, subsample
from tiepoint.evaluation.ground_truth import (
    Dataset,
    DisparityGroundTruth,
    EvaluationPair,
    GroundTruth,
    HomographyGroundTruth,
    PointsGroundTruth,
    PoseGroundTruth,
)
from tiepoint.evaluation.predict import predict
from tiepoint.evaluation.protocols import PROTOCOLS, Prediction, Scoring, Setup
from tiepoint.evaluation.resized_coordinates import MatchedPair, matrix, resized
from tiepoint.evaluation.score import score, score_pair
from tiepoint.feature_store import Store
from tiepoint.geometry.multiview import warp_points
from tiepoint.image import ImageTransform
from tiepoint.types import Camera

PROTOCOL = PROTOCOLS["tiepoint"]
ROTATION = np.array([[math.cos(0.2), 0, math.sin(0.2)], [0, 1, 0], [-math.sin(0.2), 0, math.cos(0.2)]])
POSE = np.column_stack([ROTATION, [1.0, 0.2, 0.1]])
K = np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]])


def pair_of(truth: GroundTruth) -> EvaluationPair:
    return EvaluationPair(
        name="s/a-b", scene="s", image0=Path("a"), image1=Path("b"), truth=truth, tags={"gap": 2.0}
    )


def matched_points(
    points0: np.ndarray, points1: np.ndarray, size: tuple[int, int] = (640, 480)
) -> MatchedPair:
    """Every keypoint has a match."""
    indices = np.arange(len(points0))
    return MatchedPair(
        keypoints0=points0,
        keypoints1=points1,
        matches=np.column_stack([indices, indices]),
        scores=np.ones(len(points0), np.float32),
        image_size0=size,
        image_size1=size,
        seconds={"extract": 1.5, "match": 0.5},
    )


def grid(count: int = 60) -> np.ndarray:
    return np.random.default_rng(1).uniform((20, 20), (600, 440), (count, 2))


def seen_from_two_cameras(count: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Points in space, in px of both images."""
    space = np.random.default_rng(2).uniform((-2, -2, 4), (2, 2, 9), (count, 3))
    images = [space @ K.T, (space @ POSE[:, :3].T + POSE[:, 3]) @ K.T]
    return images[0][:, :2] / images[0][:, 2:], images[1][:, :2] / images[1][:, 2:]


def test_both_loops_on_a_known_shift(tmp_path: Path):
    report = evaluate(shifted_dataset(tmp_path, (0, 2, 5)), lambda _: ShiftPredictor(), PROTOCOL)
    assert [row.pair for row in report.rows] == ["scene/0-1", "scene/0-2"]
    for row in report.rows:
        assert row.truth == "homography"
        assert row.values["num_matches"] == row.values["num_keypoints"] == row.values["num_inliers"] == COUNT
        assert row.values["precision_1px"] == row.values["recall_3px"] == 1.0
        assert row.values["corner_error_px"] < 1e-3
        assert row.values["corner_error_dlt_px"] < 1e-3
        assert row.values["seconds_match"] == 0.25
        assert row.values["seconds_estimate"] > 0
    assert report.rows[1].tags == {"index": 2.0}
    assert report.metrics()["corner_auc_1px"].value == pytest.approx(1, abs=1e-3)


def test_planar_errors_by_hand():
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


def test_pose_by_hand():
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


def test_lens_distortion_is_taken_out():
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


def test_marked_points_by_hand():
    """Two marked points fit exactly, one lies 6.5 px off its line: 14 of 20 thresholds take it."""
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


def test_disparity_by_hand(tmp_path: Path):
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
    """Infinite errors, never an identity; shares of nothing are 0."""
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


def test_what_a_pair_does_not_tell_is_left_out():
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


def test_errors_count_in_the_frame_of_the_protocol():
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


def test_truths_move_with_the_pixels():
    """What was true of the original pixels is true of the resized ones; sides are whole numbers, so scales differ."""
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


def test_a_truth_that_does_not_fit_is_a_problem(tmp_path: Path):
    """The disparities' file went away after it was read the first time."""
    (pair,) = shifted_dataset(tmp_path, (0, 2)).pairs
    gone = replace(pair, name="gone", truth=DisparityGroundTruth(path=tmp_path / "gone.png", scale=1.0))
    predictions = predict([pair, gone], ShiftPredictor(), Store(tmp_path / "store", {}))
    rows, problems = score([pair, gone], predictions, PROTOCOL.planar)
    assert [row.pair for row in rows] == [pair.name]
    assert len(problems) == 1
    assert problems[0].startswith("gone: ")


@pytest.mark.parametrize("frame", ["original", "resized"])
def test_intrinsics_of_another_image_size_are_found_out(frame: str):
    points0, points1 = seen_from_two_cameras()
    camera, other = (Camera.from_intrinsics(K, size) for size in ((640, 480), (800, 600)))
    setup = Setup(prediction=Prediction(resize=320), scoring=Scoring(frame=frame))  # type: ignore[arg-type]
    right = PoseGroundTruth(camera0=camera, camera1=camera, cam1_from_cam0=POSE)
    assert score_pair(pair_of(right), matched_points(points0, points1), setup).values["pose_error_deg"] < 0.1
    wrong = PoseGroundTruth(camera0=camera, camera1=other, cam1_from_cam0=POSE)
    with pytest.raises(InvalidInput, match=r"640 x 480"):
        score_pair(pair_of(wrong), matched_points(points0, points1), setup)


def test_problems_of_the_data_set_stay_with_the_report(tmp_path: Path):
    dataset = replace(shifted_dataset(tmp_path, (0, 2, 5)), problems=("pairs.txt, line 3: four numbers",))
    dataset.pairs[1].image1.unlink()
    report = evaluate(dataset, lambda _: ShiftPredictor(), PROTOCOL)
    assert len(report.rows) == 1
    assert report.problems[0] == "pairs.txt, line 3: four numbers"
    assert "2.png" in report.problems[1]


def test_the_second_scoring_needs_no_predictor(tmp_path: Path):
    """glue-factory's two protocols share their predictions."""
    (tmp_path / "images").mkdir()
    dataset = shifted_dataset(tmp_path / "images")
    evaluate(dataset, lambda _: ShiftPredictor(), PROTOCOLS["glue-factory-poselib"], store=tmp_path / "store")
    idle = ShiftPredictor()
    report = evaluate(dataset, lambda _: idle, PROTOCOLS["glue-factory-opencv"], store=tmp_path / "store")
    assert (idle.extracted, idle.matched) == ([], [])
    assert report.protocol["name"] == "glue-factory-opencv"
    assert report.metrics()["corner_auc_1px"].value == pytest.approx(1, abs=1e-2)


def test_a_limit_is_spread_over_the_data_set(tmp_path: Path):
    dataset = shifted_dataset(tmp_path, range(11))
    assert [pair.name for pair in subsample(dataset, 4).pairs] == [
        "scene/0-1",
        "scene/0-3",
        "scene/0-6",
        "scene/0-8",
    ]
    assert subsample(dataset, 100) is subsample(dataset, None) is dataset


def test_an_empty_data_set_says_why():
    with pytest.raises(InvalidInput, match="line 1: broken"):
        evaluate(
            Dataset(name="x", pairs=(), problems=("line 1: broken",)), lambda _: ShiftPredictor(), PROTOCOL
        )
