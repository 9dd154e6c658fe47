"""Which matches count as inliers, and when they leave the model open."""

from functools import partial

import numpy as np
import pytest
from tests.helpers.ransac_problems import problem as ransac_problem
from tests.helpers.synthetic_scenes import K0, K1, POSE, SIZE0, SIZE1

from tiepoint.geometry.backends.base import Model
from tiepoint.geometry.inliers import (
    INLIERS,
    MINIMAL_SET,
    MODEL_NAMES,
    fundamental_inliers,
    homography_inliers,
    pose_inliers,
)
from tiepoint.types import Camera

CAMERAS = (Camera.from_intrinsics(K0, SIZE0), Camera.from_intrinsics(K1, SIZE1))


problem = partial(ransac_problem, max_error_px=1.0, cameras=CAMERAS)


def test_every_kind_has_its_rows():
    assert (
        set(MINIMAL_SET)
        == set(INLIERS)
        == set(MODEL_NAMES)
        == {"similarity", "affine", "homography", "fundamental", "essential", "pose"}
    )


@pytest.mark.parametrize(("shift", "is_inlier"), [(2.99, True), (3.0, True), (3.01, False)])
def test_homography_inliers_have_transfer_errors_up_to_the_threshold(shift: float, is_inlier: bool):
    points = np.array([[10.0, 20.0], [300.0, 40.0]])
    moved = points + np.array([0.0, shift])
    assert homography_inliers(problem(points, moved, max_error_px=3.0), Model(np.eye(3))).tolist() == [
        is_inlier,
        is_inlier,
    ]


@pytest.mark.parametrize(("shift", "is_inlier"), [(1.4, True), (1.5, False)])
def test_the_sampson_error_distributes_the_distance_over_both_images(shift: float, is_inlier: bool):
    """A pure sideways motion: the lines are the rows, and a row's distance d is an error of d / sqrt(2)."""
    F = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    points = np.array([[10.0, 20.0], [300.0, 40.0]])
    moved = points + np.array([50.0, shift])
    assert fundamental_inliers(problem(points, moved), Model(F)).tolist() == [is_inlier, is_inlier]


def test_depths_have_signs():
    """Points at known depths, before and behind the cameras, all on their epipolar lines."""
    depths = np.array([5.0, -5.0, 7.0, -7.0])
    world = np.array([[0.3, 0.2, 1.0], [-0.2, 0.1, 1.0], [0.1, -0.3, 1.0], [0.0, 0.1, 1.0]]) * depths[:, None]
    there = world @ POSE[:, :3].T + POSE[:, 3]
    image0, image1 = world @ K0.T, there @ K1.T
    found = pose_inliers(
        problem(image0[:, :2] / image0[:, 2:], image1[:, :2] / image1[:, 2:]), Model(cam1_from_cam0=POSE)
    )
    assert found.tolist() == [True, False, True, False]
