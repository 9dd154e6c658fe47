"""Metrics and transforms against kornia and OpenCV, on a random scene seen by two cameras, with noise."""

import cv2
import kornia.geometry as KG
import numpy as np
import pytest
import torch

from tiepoint.geometry import metrics, multiview as tf

RANDOM = np.random.default_rng(0)
K0 = np.array([[800.0, 0, 640], [0, 810, 360], [0, 0, 1]])
K1 = np.array([[900.0, 0, 500], [0, 905, 400], [0, 0, 1]])
R = cv2.Rodrigues(np.array([0.1, -0.4, 0.2]))[0]
POSE = np.column_stack([R, [-1.0, 0.3, 0.4]])
E = tf.essential_from_pose(POSE)
F = tf.fundamental_from_essential(E, K0, K1)
WORLD = RANDOM.uniform([-2, -2, 4], [2, 2, 8], (200, 3))
H = np.array([[0.9, 0.1, 30], [-0.05, 1.1, -12], [1e-5, 2e-5, 1]])


def seen(pose: np.ndarray, K: np.ndarray) -> np.ndarray:
    rotation = cv2.Rodrigues(np.ascontiguousarray(pose[:, :3]))[0]
    points = cv2.projectPoints(WORLD, rotation, pose[:, 3], K, None)[0][:, 0]
    return points + RANDOM.normal(0, 2, points.shape)


POINTS0, POINTS1 = seen(np.eye(3, 4), K0), seen(POSE, K1)


def batch(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array)[None]


def test_fundamental_matrices_equal_kornias() -> None:
    theirs = KG.epipolar.fundamental_from_essential(batch(E), batch(K0), batch(K1))[0].numpy()
    np.testing.assert_allclose(F, theirs, atol=1e-12)
    essential = KG.epipolar.essential_from_Rt(
        batch(np.eye(3)), batch(np.zeros((3, 1))), batch(POSE[:, :3].copy()), batch(POSE[:, 3:].copy())
    )
    np.testing.assert_allclose(E, essential[0].numpy(), atol=1e-12)


@pytest.mark.parametrize("image", [0, 1])
def test_epipolar_lines_equal_opencvs(image: int) -> None:
    points, matrix = ((POINTS1, F.T), (POINTS0, F))[image]
    theirs = cv2.computeCorrespondEpilines(points[:, None], 2 - image, F)[:, 0]
    ours = tf.epipolar_lines(points, matrix)
    np.testing.assert_allclose(ours, theirs, atol=1e-6 * np.abs(theirs).max())


def test_symmetric_epipolar_errors_equal_kornias() -> None:
    theirs = KG.epipolar.symmetrical_epipolar_distance(batch(POINTS0), batch(POINTS1), batch(F), eps=0.0)
    np.testing.assert_allclose(metrics.epipolar_errors(POINTS0, POINTS1, F), theirs[0].numpy(), rtol=1e-9)


def test_distances_in_one_image_equal_kornias() -> None:
    left = KG.epipolar.left_to_right_epipolar_distance(batch(POINTS0), batch(POINTS1), batch(F))[0].numpy()
    right = KG.epipolar.right_to_left_epipolar_distance(batch(POINTS0), batch(POINTS1), batch(F))[0].numpy()
    ours = tf.epipolar_distances(POINTS0, POINTS1, F)
    np.testing.assert_allclose(ours, np.column_stack([right, left]), rtol=1e-6)
    np.testing.assert_allclose(
        metrics.epipolar_errors_px(POINTS0, POINTS1, F), np.maximum(left, right), rtol=1e-6
    )


def test_sampson_distances_equal_kornias_and_opencvs() -> None:
    ours = tf.sampson_distances(POINTS0, POINTS1, F)
    theirs = KG.epipolar.sampson_epipolar_distance(batch(POINTS0), batch(POINTS1), batch(F), eps=0.0)
    np.testing.assert_allclose(ours**2, theirs[0].numpy(), rtol=1e-9)
    for i in range(5):
        opencv = cv2.sampsonDistance(tf.to_homogeneous(POINTS0)[i], tf.to_homogeneous(POINTS1)[i], F)
        assert ours[i] ** 2 == pytest.approx(opencv, rel=1e-9)


def test_warped_points_equal_opencvs() -> None:
    np.testing.assert_allclose(
        tf.warp_points(POINTS0, H), cv2.perspectiveTransform(POINTS0[:, None], H)[:, 0], rtol=1e-12
    )


def test_transfer_errors_equal_kornias() -> None:
    forward = KG.homography.oneway_transfer_error(
        batch(POINTS0), batch(POINTS1), batch(H), squared=False, eps=0.0
    )
    back = batch(np.linalg.inv(H))
    backward = KG.homography.oneway_transfer_error(
        batch(POINTS1), batch(POINTS0), back, squared=False, eps=0.0
    )
    ours = metrics.homography_errors_px(POINTS0, POINTS1, H)
    np.testing.assert_allclose(ours, ((forward + backward) / 2)[0].numpy(), rtol=1e-6)


def test_normalized_points_equal_opencvs() -> None:
    theirs = cv2.undistortPoints(POINTS0[:, None], K0, None)[:, 0]
    np.testing.assert_allclose(tf.normalize_points(POINTS0, K0), theirs, atol=1e-9)


def test_rotation_errors_equal_opencvs_angles() -> None:
    other = cv2.Rodrigues(np.array([0.3, 0.1, -0.2]))[0]
    angle = np.linalg.norm(cv2.Rodrigues(R.T @ other)[0])
    assert metrics.rotation_error_deg(R, other) == pytest.approx(np.rad2deg(angle))
    assert metrics.rotation_error_deg(R, other) == pytest.approx(
        np.rad2deg(float(KG.Quaternion.from_matrix(torch.from_numpy(R.T @ other)).to_axis_angle().norm())),
        rel=1e-5,
    )


def test_relative_poses_equal_kornias() -> None:
    other = np.column_stack([cv2.Rodrigues(np.array([0.3, 0.1, -0.2]))[0], [0.5, -2, 1]])
    R_theirs, t_theirs = KG.epipolar.relative_camera_motion(
        batch(POSE[:, :3].copy()),
        batch(POSE[:, 3:].copy()),
        batch(other[:, :3].copy()),
        batch(other[:, 3:].copy()),
    )
    ours = tf.relative_pose(POSE, other)
    np.testing.assert_allclose(ours, np.column_stack([R_theirs[0].numpy(), t_theirs[0].numpy()]), atol=1e-12)
