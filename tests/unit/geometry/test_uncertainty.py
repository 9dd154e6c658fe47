"""The predicted deviation is that of repeated estimates."""

from typing import Any

import numpy as np
import pytest
from tests.helpers.synthetic_scenes import AFFINE, HOMOGRAPHY, SIMILARITY

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
    expected = relative_uncertainty("homography", points, HOMOGRAPHY, noise_px * QUANTILE)
    assert max(deviations) / side == pytest.approx(expected, rel=0.3)


def test_it_is_proportional_to_the_threshold_and_independent_of_units():
    one = relative_uncertainty("homography", SQUARE, HOMOGRAPHY, 1.0)
    assert relative_uncertainty("homography", SQUARE, HOMOGRAPHY, 3.0) == pytest.approx(3 * one)
    scaled = HOMOGRAPHY @ np.diag([1000.0, 1000.0, 1.0])
    assert relative_uncertainty("homography", SQUARE / 1000, scaled, 1.0) == pytest.approx(one, rel=1e-6)
    assert one < 0.01


@pytest.mark.parametrize("count", [4, 50])
def test_exactly_collinear_points_are_infinitely_uncertain(count: int):
    points = np.column_stack([np.linspace(0, 600, count), 3 * np.linspace(0, 600, count)])
    assert relative_uncertainty("homography", points, np.eye(3), 1.0) > 1e3
    assert relative_uncertainty("homography", np.vstack([points, [[100.0, 900.0]]]), np.eye(3), 1.0) > 1e3


def test_two_points_off_the_line_determine_it():
    points = np.column_stack([np.linspace(0, 600, 20), np.zeros(20)])
    assert (
        relative_uncertainty(
            "homography", np.vstack([points, [[100.0, 300.0], [500.0, 250.0]]]), np.eye(3), 1.0
        )
        < 0.02
    )


def least_squares_affine(points0: np.ndarray, points1: np.ndarray) -> np.ndarray:
    """Affine transformation that minimizes the squared errors in image 1."""
    rows = np.column_stack([points0, np.ones(len(points0))])
    return np.vstack([np.linalg.lstsq(rows, points1, rcond=None)[0].T, (0, 0, 1)])


def least_squares_similarity(points0: np.ndarray, points1: np.ndarray) -> np.ndarray:
    """Similarity that minimizes the squared errors in image 1: z1 = a z0 + b with complex numbers."""
    z0, z1 = points0 @ (1, 1j), points1 @ (1, 1j)
    a, b = np.linalg.lstsq(np.column_stack([z0, np.ones(len(z0))]), z1, rcond=None)[0]
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag], [0, 0, 1]])


@pytest.mark.parametrize("mirror", [1.0, -1.0])
@pytest.mark.parametrize(
    ("kind", "matrix", "fit"),
    [("affine", AFFINE, least_squares_affine), ("similarity", SIMILARITY, least_squares_similarity)],
)
def test_fewer_degrees_of_freedom_are_less_uncertain(kind: Any, matrix: np.ndarray, fit: Any, mirror: float):
    rng = np.random.default_rng(0)
    points = rng.uniform((0, 0), (600, 60), (200, 2))
    center, side = points.mean(axis=0), np.sqrt(12 * points.var(axis=0).max())
    corners = center + side / 2 * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    noise_px, found = 0.01, []
    flip = np.diag([mirror, 1.0, 1.0])
    for _ in range(60):
        noisy = warp_points(points, matrix) + rng.normal(0, noise_px, points.shape)
        found.append(warp_points(warp_points(corners, fit(points, noisy)), np.linalg.inv(matrix)))
    deviations = [
        np.sqrt(np.linalg.eigvalsh(np.cov(np.array(found)[:, corner].T))[-1]) for corner in range(4)
    ]
    expected = relative_uncertainty(kind, points, flip @ matrix, noise_px * QUANTILE)
    assert max(deviations) / side == pytest.approx(expected, rel=0.3)
    assert expected < relative_uncertainty("homography", points, flip @ matrix, noise_px * QUANTILE)


@pytest.mark.parametrize("matrix", [SIMILARITY, np.diag([1.0, -1.0, 1.0]) @ SIMILARITY])
def test_two_points_determine_a_similarity(matrix: np.ndarray):
    points = np.array([[0.0, 0.0], [600.0, 100.0]])
    assert relative_uncertainty("similarity", points, matrix, 1.0) < 0.01
    assert relative_uncertainty("affine", points, matrix, 1.0) > 1e3
