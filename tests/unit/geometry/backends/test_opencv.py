"""OpenCV's MAGSAC++: accurate on clean points with outliers, repeatable by seed, None without a model."""

import logging
import sys
from dataclasses import replace

import numpy as np
import pytest
from tests.helpers.ransac_problems import POSE, planar_points, problem, rigid_points, with_outliers

from tiepoint.errors import MissingDependency
from tiepoint.geometry.backends import opencv
from tiepoint.geometry.metrics import pose_error_deg
from tiepoint.geometry.multiview import sampson_distances, warp_points


def test_homography_with_outliers():
    points0, points1 = planar_points()
    model = opencv.homography(problem(points0, with_outliers(points1)))
    assert model is not None
    assert model.matrix is not None
    np.testing.assert_allclose(warp_points(points0, model.matrix), points1, atol=0.01)


def test_fundamental_matrix_with_outliers():
    points0, points1 = rigid_points()
    model = opencv.fundamental(problem(points0, with_outliers(points1)))
    assert model is not None
    assert model.matrix is not None
    assert sampson_distances(points0, points1, model.matrix).max() < 0.2


def test_pose_with_outliers():
    points0, points1 = rigid_points()
    model = opencv.pose(problem(points0, with_outliers(points1)))
    assert model is not None
    assert model.cam1_from_cam0 is not None
    assert pose_error_deg(model.cam1_from_cam0, POSE) < 0.1


@pytest.mark.parametrize("estimate", [opencv.homography, opencv.fundamental, opencv.pose])
def test_the_seed_determines_the_result(estimate):
    points0, points1 = rigid_points()
    given = problem(points0, with_outliers(points1) + np.random.default_rng(2).normal(0, 0.3, points1.shape))
    first, again = (estimate(replace(given, seed=3)) for _ in range(2))
    np.testing.assert_array_equal(first.matrix, again.matrix)
    np.testing.assert_array_equal(first.cam1_from_cam0, again.cam1_from_cam0)


def test_a_fundamental_matrix_that_opencv_cannot_find_is_none(caplog: pytest.LogCaptureFixture):
    same = np.full((8, 2), 100.0)
    with caplog.at_level(logging.INFO):
        model = opencv.fundamental(problem(same, same))
    assert model is None or model.matrix is not None


def test_opencv_is_optional(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingDependency, match=r"tiepoint\[opencv\]"):
        opencv.homography(problem(*planar_points()))
