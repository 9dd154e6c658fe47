"""PoseLib: models among outliers, and homographies of inliers in few iterations."""

import numpy as np
import pytest
from tests.helpers.ransac_problems import POSE, H, planar_points, problem, rigid_points, with_outliers

from tiepoint.geometry.backends import poselib
from tiepoint.geometry.metrics import pose_error_deg
from tiepoint.geometry.multiview import sampson_distances, transfer_errors


def test_homography() -> None:
    points0, points1 = planar_points()
    found = poselib.homography(problem(points0, with_outliers(points1)))
    assert found.matrix / found.matrix[2, 2] == pytest.approx(H, abs=1e-4)


def test_fundamental() -> None:
    points0, points1 = rigid_points()
    found = poselib.fundamental(problem(points0, with_outliers(points1)))
    assert np.median(sampson_distances(points0, points1, found.matrix)) < 1e-3


def test_pose() -> None:
    points0, points1 = rigid_points()
    found = poselib.pose(problem(points0, with_outliers(points1)))
    assert pose_error_deg(found.cam1_from_cam0, POSE) < 0.1


def test_homography_of_inliers() -> None:
    points0, points1 = planar_points()
    found = poselib.homography_of_inliers(points0, with_outliers(points1), 1.0, 100)
    assert np.median(transfer_errors(points0, points1, found)) < 1e-3


def test_points_that_no_homography_explains() -> None:
    mirrored = planar_points()[0] * [-1, 1]
    found = poselib.homography_of_inliers(planar_points()[0], mirrored, 1.0, 100)
    assert found is None or (transfer_errors(planar_points()[0], mirrored, found) < 1).mean() < 0.2
