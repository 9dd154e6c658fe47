"""Warp of one image onto the other: which image is warped, and when matches determine no warp."""

import numpy as np
import pytest

from tiepoint.extraction.views import View
from tiepoint.geometry.multiview import warp_points
from tiepoint.image import ImageTransform
from tiepoint.matching.views.warp_model import describe, fit_warp
from tiepoint.types import Correspondences

SIZE = (400, 300)
SAME = ImageTransform(SIZE, SIZE)


def matches(matrix: np.ndarray, count: int = 60, wrong: int = 0) -> Correspondences:
    """Random points, and the same under a homography; some of them replaced by random ones."""
    random = np.random.default_rng(0)
    points0 = random.uniform((0, 0), SIZE, (count, 2))
    points1 = warp_points(points0, matrix)
    points1[:wrong] = random.uniform((0, 0), SIZE, (wrong, 2))
    return Correspondences.from_points(points0, points1)


def affine(*values: float) -> np.ndarray:
    return np.array([values[:3], values[3:], [0, 0, 1]], dtype=np.float64)


@pytest.mark.parametrize(
    ("matrix", "warped"),
    [
        (affine(0.4, 0, 100, 0, 0.4, 80), 1),
        (affine(2.5, 0, -200, 0, 2.5, -160), 0),
        (affine(0.4, 0, 100, 0, 1, 0), 0),
        (affine(2.5, 0, -200, 0, 1, 0), 1),
    ],
    ids=["image 0 larger", "image 1 larger", "image 1 compressed", "image 0 compressed"],
)
@pytest.mark.parametrize("wrong", [0, 20])
def test_the_other_image_keeps_its_resolution(matrix: np.ndarray, warped: int, wrong: int) -> None:
    found = fit_warp(matches(matrix, wrong=wrong), (SAME, SAME))
    assert found is not None
    assert found.warped == warped
    expected = np.linalg.inv(matrix) if warped else matrix
    np.testing.assert_allclose(
        found.warp.matrix / found.warp.matrix[2, 2], expected, atol=0.02 * np.abs(expected).max()
    )
    assert found.warp.size == SIZE


def test_few_matches_determine_an_affine_map_only() -> None:
    perspective = np.array([[1.0, 0.1, 0], [0, 1.6, 0], [1e-3, 0, 1]])
    few, many = (fit_warp(matches(perspective, count), (SAME, SAME)) for count in (12, 80))
    assert few is not None
    assert many is not None
    assert few.warp.matrix[2].tolist() == [0, 0, 1]
    assert abs(many.warp.matrix[2, 0] / many.warp.matrix[2, 2]) > 5e-4


def test_warps_are_in_px_of_the_original() -> None:
    resized = ImageTransform((800, 600), SIZE)
    points = matches(affine(2.5, 0, -200, 0, 2.5, -160))
    doubled = Correspondences.from_points((points.points0 + 0.5) * 2 - 0.5, points.points1)
    found = fit_warp(doubled, (resized, SAME))
    assert found is not None
    assert found.warp.matrix[0, 0] / found.warp.matrix[2, 2] == pytest.approx(1.25, abs=0.01)
    assert found.view.scale == pytest.approx(2.5, abs=0.02)


@pytest.mark.parametrize(
    "matrix",
    [affine(-1, 0, 399, 0, 1, 0), affine(0.02, 0, 200, 0, 1, 0), affine(0.01, 0, 200, 0, 0.01, 100)],
    ids=["mirrored", "compressed 50 times", "scaled by 100"],
)
def test_impossible_warps_are_none(matrix: np.ndarray) -> None:
    assert fit_warp(matches(matrix), (SAME, SAME)) is None


@pytest.mark.parametrize("count", [0, 3, 5])
def test_too_few_matches_determine_none(count: int) -> None:
    assert fit_warp(matches(affine(1, 0, 0, 0, 1, 0), count), (SAME, SAME)) is None


def test_points_on_a_line_determine_none() -> None:
    points = np.column_stack([np.linspace(0, 399, 30), np.full(30, 100.0)])
    assert fit_warp(Correspondences.from_points(points, points), (SAME, SAME)) is None


@pytest.mark.parametrize(
    "view", [View(30, 0.5), View(200, 2.0, 3.0, 40), View(0, 1.0, 1.5, 90), View(359, 1.2, 2.0)]
)
def test_views_are_described(view: View) -> None:
    matrix = np.eye(3)
    matrix[:2, :2] = view.linear
    found = describe(matrix)
    assert (found.rotation, found.scale, found.tilt) == (view.rotation, view.scale, view.tilt)
    assert found.tilt == 1 or found.direction == view.direction
