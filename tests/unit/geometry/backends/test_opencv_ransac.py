"""RANSAC with the settings of glue-factory: accurate on clean points with outliers, None without consensus."""

from dataclasses import replace

import numpy as np
import pytest
from tests.helpers.ransac_problems import POSE, H, K, planar_points, problem, rigid_points, with_outliers

from tiepoint.geometry.backends import opencv_ransac
from tiepoint.geometry.metrics import pose_error_deg
from tiepoint.geometry.multiview import sampson_distances
from tiepoint.types import Camera


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray]:
    return rigid_points()


def test_homography():
    points0, points1 = planar_points()
    found = opencv_ransac.homography(problem(points0, with_outliers(points1)))
    assert found is not None
    np.testing.assert_allclose(found.matrix / found.matrix[2, 2], H, atol=1e-3)


def test_pose(scene: tuple[np.ndarray, np.ndarray]):
    found = opencv_ransac.pose(problem(scene[0], with_outliers(scene[1])))
    assert found is not None
    assert pose_error_deg(found.cam1_from_cam0, POSE) < 0.5


def test_the_threshold_of_a_pose_is_in_px(scene: tuple[np.ndarray, np.ndarray]):
    """Scaling images and threshold by ten keeps the pose; scaling images only changes it."""
    noisy = scene[1] + np.random.default_rng(3).normal(0, 1, scene[1].shape)
    camera = Camera.from_intrinsics(np.diag([10.0, 10, 1]) @ K, None)
    poses = []
    for px in (2.0, 20.0):
        large = replace(problem(10 * scene[0], 10 * noisy, px), cameras=(camera, camera))
        poses.append(opencv_ransac.pose(large).cam1_from_cam0)
    small = opencv_ransac.pose(problem(scene[0], noisy, 2.0)).cam1_from_cam0
    np.testing.assert_allclose(poses[1], small, atol=1e-6)
    assert np.abs(poses[0] - small).max() > 1e-4


def test_fundamental(scene: tuple[np.ndarray, np.ndarray]):
    changed = with_outliers(scene[1])
    found = opencv_ransac.fundamental(problem(scene[0], changed))
    assert found is not None
    kept = np.arange(len(changed)) % 3 != 0
    assert np.median(sampson_distances(scene[0], scene[1], found.matrix)[kept]) < 0.1


def test_no_model():
    points = np.random.default_rng(1).uniform(0, 480, (5, 2))
    assert opencv_ransac.fundamental(problem(points, points)) is None
