"""Parallax of planes, rotations and scenes with depth, at thresholds above their noise."""

import numpy as np
import pytest
from tests.helpers.degenerate_points import ROTATION, degrade, homography_points, world_points
from tests.helpers.synthetic_scenes import K0, K1, POSE
from tests.unit.geometry.test_degeneracy import problem

from tiepoint.geometry.multiview import (
    cross_matrix,
    essential_from_pose,
    fundamental_from_essential,
    sampson_distances,
)
from tiepoint.geometry.parallax import has_parallax, plane, rotation

F = fundamental_from_essential(essential_from_pose(POSE), K0, K1)


def parallax_of(
    points: tuple[np.ndarray, np.ndarray], fit: object, max_error_px: float, fundamental: np.ndarray = F
) -> bool:
    errors = sampson_distances(*points, fundamental)
    return has_parallax(problem(*points, max_error_px=max_error_px), errors <= max_error_px, errors, fit)


@pytest.mark.parametrize("max_error_px", [1.0, 4.0, 12.0])
def test_depth_is_found_below_a_large_threshold(max_error_px: float) -> None:
    """A relief of a few px: with 12 px, a plane explains all matches, but their noise is 0.2 px."""
    points = degrade(world_points(plane=150, space=50), noise_px=0.2)
    assert parallax_of(points, plane, max_error_px)
    assert parallax_of(points, rotation, max_error_px)


@pytest.mark.parametrize("max_error_px", [1.0, 4.0, 12.0])
@pytest.mark.parametrize("outliers", [0, 60])
def test_a_plane_has_none_beyond_its_homography(max_error_px: float, outliers: int) -> None:
    points = degrade(world_points(plane=200), noise_px=0.3, outliers=outliers)
    assert not parallax_of(points, plane, max_error_px)
    assert parallax_of(points, rotation, max_error_px)


@pytest.mark.parametrize("max_error_px", [1.0, 4.0])
@pytest.mark.parametrize("noise_px", [0.0, 0.3, 1.0])
def test_a_rotation_has_none(max_error_px: float, noise_px: float) -> None:
    points = homography_points(ROTATION, noise_px=noise_px, outliers=30)
    any_epipole = cross_matrix(np.array([2000.0, 300.0, 1.0]))
    for fit in (plane, rotation):
        assert not parallax_of(points, fit, max_error_px, any_epipole @ ROTATION)


def test_the_fitted_rotation() -> None:
    points = homography_points(ROTATION, noise_px=0.1, outliers=50)
    found = rotation(problem(*points), np.ones(250, bool), 1.0)
    assert found / found[2, 2] == pytest.approx(ROTATION / ROTATION[2, 2], rel=0.02, abs=1e-5)


def test_too_few_matches_fit_nothing() -> None:
    points = homography_points()
    for fit in (plane, rotation):
        assert fit(problem(*points), np.zeros(200, bool), 1.0) is None
