"""The predicted deviation is that of repeated estimates."""

import numpy as np
import pytest
from tests.helpers.synthetic_scenes import HOMOGRAPHY

from tiepoint.geometry.backends.dlt import weighted_dlt
from tiepoint.geometry.multiview import warp_points
from tiepoint.geometry.uncertainty import QUANTILE, relative_uncertainty

SQUARE = np.array([[0.0, 0.0], [600.0, 0.0], [600.0, 600.0], [0.0, 600.0]])


@pytest.mark.parametrize("height", [500.0, 60.0, 12.0])
def test_it_predicts_the_spread_of_estimates(height: float):
    """In a strip, the corners of the square around it are far from the points."""
    rng = np.random.default_rng(0)
    points = rng.uniform((0, 0), (600, height), (200, 2))
    center, side = points.mean(axis=0), np.sqrt(12 * points.var(axis=0).max())
    corners = center + side / 2 * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    noise_px, found = 0.01, []
    for _ in range(60):
        noisy = warp_points(points, HOMOGRAPHY) + rng.normal(0, noise_px, points.shape)
        H = weighted_dlt(points, noisy, np.ones(len(points)))
        found.append(warp_points(warp_points(corners, H), np.linalg.inv(HOMOGRAPHY)))
    deviations = [
        np.sqrt(np.linalg.eigvalsh(np.cov(np.array(found)[:, corner].T))[-1]) for corner in range(4)
    ]
    expected = relative_uncertainty(points, HOMOGRAPHY, noise_px * QUANTILE)
    assert max(deviations) / side == pytest.approx(expected, rel=0.3)


def test_it_is_proportional_to_the_threshold_and_independent_of_units():
    one = relative_uncertainty(SQUARE, HOMOGRAPHY, 1.0)
    assert relative_uncertainty(SQUARE, HOMOGRAPHY, 3.0) == pytest.approx(3 * one)
    scaled = HOMOGRAPHY @ np.diag([1000.0, 1000.0, 1.0])
    assert relative_uncertainty(SQUARE / 1000, scaled, 1.0) == pytest.approx(one, rel=1e-6)
    assert one < 0.01


@pytest.mark.parametrize("count", [4, 50])
def test_exactly_collinear_points_are_infinitely_uncertain(count: int):
    points = np.column_stack([np.linspace(0, 600, count), 3 * np.linspace(0, 600, count)])
    assert relative_uncertainty(points, np.eye(3), 1.0) > 1e3
    assert relative_uncertainty(np.vstack([points, [[100.0, 900.0]]]), np.eye(3), 1.0) > 1e3


def test_two_points_off_the_line_determine_it():
    points = np.column_stack([np.linspace(0, 600, 20), np.zeros(20)])
    assert relative_uncertainty(np.vstack([points, [[100.0, 300.0], [500.0, 250.0]]]), np.eye(3), 1.0) < 0.02
