"""A contrario tests: support that random matches have, and support that they do not have."""

import math

import numpy as np
import pytest
from tests.unit.geometry.test_degeneracy import problem

from tiepoint.geometry.chance import alignment_probability, log_false_alarms, support_probability


def test_a_minimal_set_is_always_chance():
    assert log_false_alarms(100, 4, 4, 1e-6) == math.inf


def test_support_of_the_expected_size_is_chance():
    assert log_false_alarms(1004, 104, 4, 0.1) > 0
    assert log_false_alarms(1004, 304, 4, 0.1) < -50


def test_the_bound_is_that_of_the_binomial_distribution():
    """All of n further matches agree: probability p^n, times the number of samples and models."""
    expected = math.log(3 * math.comb(10, 7)) + 3 * math.log(0.01)
    assert log_false_alarms(10, 10, 7, 0.01, solutions=3) == pytest.approx(expected)


def test_a_certain_agreement_is_chance():
    assert log_false_alarms(50, 50, 4, 1.0) > 0


@pytest.mark.parametrize(
    ("kind", "area_px"), [("homography", math.pi * 4), ("pose", 2 * math.sqrt(2) * 2 * 1250)]
)
def test_the_area_within_the_threshold(kind: str, area_px: float):
    corners = np.array([[0.0, 0.0], [1000.0, 750.0], [0.0, 750.0], [1000.0, 0.0]])
    found = support_probability(kind, problem(corners, corners, max_error_px=2.0))
    assert found == pytest.approx(area_px / (1000 * 750))


def test_an_area_of_all_points_is_certain():
    points = np.array([[0.0, 0.0], [2.0, 2.0], [0.0, 2.0], [2.0, 0.0]])
    assert support_probability("homography", problem(points, points)) == pytest.approx(math.pi / 4)
    assert support_probability("fundamental", problem(points, points)) == 1


def test_directions_within_the_band_of_an_epipolar_line():
    """Of errors of 2 px in random directions, those within 30 degrees of the line have a component below 1 px."""
    assert alignment_probability(np.array([2.0]), 1.0) == pytest.approx(1 / 3)
    angles = np.random.default_rng(0).uniform(0, 2 * math.pi, 100_000)
    assert alignment_probability(np.array([3.0]), 1.0) == pytest.approx(
        np.mean(np.abs(3 * np.sin(angles)) <= 1), abs=0.01
    )
    assert alignment_probability(np.array([]), 1.0) == 1
