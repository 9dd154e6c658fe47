"""Lines, rotations and homographies among outliers."""

import numpy as np
import pytest
from tests.helpers.degenerate_points import degrade, homography_points, line_points
from tests.helpers.synthetic_scenes import HOMOGRAPHY, rotation, space_scene

from tiepoint.geometry.multiview import sampson_distances, transfer_errors, warp_points
from tiepoint.geometry.simpler_models import (
    fit_homography,
    fit_line,
    fit_rotation,
    symmetric_errors,
    unit_rays,
)


@pytest.mark.parametrize("count", [3, 50, 2000])
def test_a_line_with_outliers(count: int):
    points, _ = degrade(line_points(count), noise_px=0.2, outliers=count // 3)
    line = fit_line(points, 1.0)
    assert abs(line.normal @ [0.53, -0.848]) > 0.99
    assert np.abs(line.distances(points[:count])).max() < 1.0
    assert np.linalg.norm(line.normal) == pytest.approx(1)


def test_no_line():
    assert fit_line(np.random.default_rng(0).uniform(0, 1000, (100, 2)), 1.0) is None


def test_coincident_points_are_on_a_line():
    line = fit_line(np.full((10, 2), 7.0), 1.0)
    assert np.array_equal(line.distances(np.full((10, 2), 7.0)), np.zeros(10))


@pytest.mark.parametrize("angle_deg", [0.0, 20.0, 120.0])
def test_a_rotation_with_outliers(angle_deg: float):
    rng = np.random.default_rng(0)
    rays0, noise = (rng.normal(size=(400, 3)) for _ in range(2))
    rays0 /= np.linalg.norm(rays0, axis=1, keepdims=True)
    R = rotation(angle_deg, (1.0, 2.0, -1.0))
    rays1 = rays0 @ R.T
    rays1[:120] = noise[:120] / np.linalg.norm(noise[:120], axis=1, keepdims=True)
    found = fit_rotation(rays0, rays1, 1e-3)
    assert found == pytest.approx(R, abs=1e-6)
    assert np.linalg.det(found) == pytest.approx(1)


@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_a_homography_with_outliers(mirror: float):
    H = np.diag([mirror, 1, 1]) @ HOMOGRAPHY
    points = homography_points(H, noise_px=0.3, outliers=60)
    found = fit_homography(*points, 2.0)
    assert np.median(transfer_errors(points[0][:200], warp_points(points[0][:200], H), found)) < 0.3


def test_symmetric_errors_equal_sampson_errors_across_the_epipolar_line():
    """A shift across the lines of a sideways motion; and along them, where the Sampson error is 0."""
    points = np.array([[100.0, 200.0], [400.0, 50.0]])
    F = np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    across = points + np.array([0.0, 3.0])
    assert symmetric_errors(points, across, np.eye(3)) == pytest.approx(sampson_distances(points, across, F))
    assert symmetric_errors(points, points, np.eye(3)) == pytest.approx([0, 0])


def test_symmetric_errors_are_those_of_both_images():
    points, _ = homography_points()
    scaled = points * 3 + np.array([0.0, 3.0])
    assert symmetric_errors(points, scaled, np.diag([3.0, 3.0, 1.0])) == pytest.approx(3 / np.sqrt(10))


def test_unit_rays():
    K = np.diag([500.0, 500.0, 1.0])
    assert unit_rays(np.array([[0.0, 0.0], [500.0, 0.0]]), K) == pytest.approx(
        np.array([[0, 0, 1], [np.sqrt(0.5), 0, np.sqrt(0.5)]])
    )


def test_depth_is_no_homography():
    scene = space_scene(200, outlier_share=0)
    H = fit_homography(scene.points0, scene.points1, 2.0)
    assert (symmetric_errors(scene.points0, scene.points1, H) < 2).mean() < 0.5
