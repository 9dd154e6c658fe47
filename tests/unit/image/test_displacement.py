"""Displacement fields are linear between their nodes, and constant beyond them."""

import numpy as np
import pytest

from tiepoint.image.displacement import DisplacementField
from tiepoint.image.resampling import Resampler, warp_whole


def linear_field() -> DisplacementField:
    """Offsets 2 x + 3 y and -x at nodes of a spacing of 10 px."""
    y, x = np.mgrid[0:4, 0:5] * 10.0
    return DisplacementField(np.stack([2 * x + 3 * y, -x], axis=-1), 10.0)


def test_linear_offsets_are_exact() -> None:
    x, y = np.array([0.0, 3.5, 40.0]), np.array([0.0, 17.0])
    offset_x, offset_y = linear_field().at(x, y)
    assert np.allclose(offset_x, 2 * x + 3 * y[:, None])
    assert np.allclose(offset_y, np.broadcast_to(-x, (2, 3)))


def test_the_gradient_is_the_steepest_one() -> None:
    assert linear_field().max_gradient == pytest.approx(3)


def test_points_and_grids_agree() -> None:
    field = linear_field()
    points = np.array([[3.5, 17.0], [100.0, -5.0]])
    expected = [np.array(field.at(x[None], y[None])).ravel() for x, y in points]
    assert np.allclose(field.at_points(*points.T), expected)
    assert np.allclose(expected[1], (80.0, -40.0))  # as at the node (40, 0)


def test_a_constant_field_shifts_an_image() -> None:
    image = np.random.default_rng(0).integers(0, 255, (30, 40, 2)).astype(np.uint16)
    field = DisplacementField(np.broadcast_to([3.0, -2.0], (2, 2, 2)), 100.0)
    warped = warp_whole(Resampler(image, np.eye(3), "cubic", displacement=field), (40, 30))
    assert np.array_equal(warped.pixels[2:, :-3], image[:-2, 3:])
    assert not warped.is_inside[:2].any()
    assert not warped.is_inside[:, -3:].any()
