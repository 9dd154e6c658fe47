"""The input of all backends."""

import math

import numpy as np
import pytest

from tiepoint.geometry.backends.base import CONFIDENCE, MAX_ITERATIONS, Problem, pinhole_params
from tiepoint.types import Camera

K0 = np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]])
K1 = np.array([[400.0, 0, 100], [0, 400, 200], [0, 0, 1]])


def problem(cameras: tuple[Camera, Camera] | None) -> Problem:
    points = np.zeros((3, 2))
    return Problem(
        points0=points, points1=points, weights=np.ones(3), max_error_px=1.0, seed=0, cameras=cameras
    )


def test_intrinsics_are_those_of_the_cameras():
    cameras = Camera.from_intrinsics(K0, (640, 480)), Camera.from_intrinsics(K1, (200, 400))
    found0, found1 = problem(cameras).intrinsics
    np.testing.assert_array_equal(found0, K0)
    np.testing.assert_array_equal(found1, K1)


def test_only_poses_have_intrinsics():
    with pytest.raises(AssertionError):
        _ = problem(None).intrinsics


def test_pinhole_parameters_in_the_order_of_colmap():
    assert pinhole_params(K0) == [500.0, 510.0, 320.0, 240.0]


def test_iterations_suffice_for_five_point_samples_with_a_quarter_of_inliers():
    needed = math.log(1 - CONFIDENCE) / math.log(1 - 0.25**5)
    assert needed <= MAX_ITERATIONS
