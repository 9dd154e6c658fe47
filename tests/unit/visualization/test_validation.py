"""Arguments of the drawing functions: converted to float64, or refused with the name and the value."""

import numpy as np
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.visualization import validation


@pytest.mark.parametrize("points", [torch.tensor([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]], np.float32)])
def test_points_become_float64_arrays(points):
    array = validation.checked_points("points0", points)
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, [[1, 2], [3, 4]])


def test_no_points():
    assert validation.checked_points("points0", None).shape == (0, 2)


@pytest.mark.parametrize("shape", [(2,), (2, 3), (1, 2, 2)])
def test_points_of_a_wrong_shape(shape: tuple[int, ...]):
    with pytest.raises(InvalidInput, match=r"points1: .*\(k, 2\)"):
        validation.checked_points("points1", np.zeros(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_points_that_are_not_finite(value: float):
    with pytest.raises(InvalidInput, match=r"points0: .*NaN"):
        validation.checked_points("points0", np.array([[0, value]]))


def test_a_pair_has_one_row_per_match():
    points = np.zeros((3, 2))
    assert [len(array) for array in validation.checked_pair(points, points)] == [3, 3]
    with pytest.raises(InvalidInput, match="got 3 and 2 rows"):
        validation.checked_pair(points, points[:2])


def test_scores_default_to_one():
    np.testing.assert_array_equal(validation.checked_scores(None, 2), [1, 1])


def test_one_score_per_match():
    np.testing.assert_array_equal(validation.checked_scores(torch.tensor([0.5]), 1), [0.5])
    with pytest.raises(InvalidInput, match=r"scores: .*\(2,\)"):
        validation.checked_scores(np.ones(3), 2)


@pytest.mark.parametrize("mask", [torch.tensor([True, False]), np.array([True, False])])
def test_masks(mask):
    np.testing.assert_array_equal(validation.checked_mask("inliers", mask, 2), [True, False])
    with pytest.raises(InvalidInput, match=r"inliers: .*3 booleans"):
        validation.checked_mask("inliers", mask, 3)


def test_masks_are_boolean():
    with pytest.raises(InvalidInput, match="inliers"):
        validation.checked_mask("inliers", np.ones(2), 2)


def test_matrices():
    np.testing.assert_array_equal(validation.checked_matrix("homography", torch.eye(3)), np.eye(3))


@pytest.mark.parametrize("matrix", [np.eye(2), np.zeros((3, 3)), np.full((3, 3), np.nan)])
def test_unusable_matrices(matrix: np.ndarray):
    with pytest.raises(InvalidInput, match="homography"):
        validation.checked_matrix("homography", matrix)
