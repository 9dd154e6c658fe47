"""Polygons against the slow answer: which pixel centers lie inside."""

import numpy as np
import pytest
import torch
from cv2 import pointPolygonTest

from tiepoint.errors import InvalidInput
from tiepoint.extraction.polygons import fill_polygons


def pixels(*polygons: list, size: tuple[int, int] = (7, 5)) -> list[tuple[int, int]]:
    return [(x, y) for y, x in fill_polygons(list(polygons), size, "mask").nonzero().tolist()]


def test_the_centers_inside_are_marked() -> None:
    assert pixels([(0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5)]) == [(1, 1), (2, 1), (1, 2), (2, 2)]


def test_neighbors_share_no_pixel() -> None:
    """A center on an edge belongs to what lies to its right, or below it."""
    left, right = [(1, 1), (3, 1), (3, 3), (1, 3)], [(3, 1), (5, 1), (5, 3), (3, 3)]
    assert pixels(left) == [(1, 1), (2, 1), (1, 2), (2, 2)]
    assert set(pixels(left)).isdisjoint(pixels(right))
    assert sorted(pixels(left) + pixels(right)) == sorted(pixels([(1, 1), (5, 1), (5, 3), (1, 3)]))


def test_a_polygon_may_reach_beyond_the_image() -> None:
    assert len(pixels([(-100, -100), (100, -100), (100, 100), (-100, 100)])) == 35
    assert pixels([(-9, -9), (-5, -9), (-5, -5)]) == []
    assert pixels([(4.5, 3.5), (1e9, 3.5), (1e9, 1e9), (4.5, 1e9)]) == [(5, 4), (6, 4)]


def test_overlapping_polygons_add_up() -> None:
    square = [(0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5)]
    assert pixels(square, square) == pixels(square)


def test_where_a_polygon_crosses_itself_every_second_area_is_inside() -> None:
    twice_around = [(0, 0), (6, 0), (6, 4), (0, 4)] * 2
    assert pixels(twice_around) == []


@pytest.mark.parametrize("seed", range(5))
def test_random_polygons_are_those_of_opencv(seed: int) -> None:
    random = np.random.default_rng(seed)
    angles = np.sort(random.uniform(0, 2 * np.pi, 9))
    radii = random.uniform(3, 30, 9)
    corners = np.stack([20 + radii * np.cos(angles), 15 + radii * np.sin(angles)], axis=1).astype(np.float32)
    inside = fill_polygons([corners], (40, 30), "mask")
    distance = np.array(
        [[pointPolygonTest(corners, (float(x), float(y)), True) for x in range(40)] for y in range(30)]
    )
    clear = torch.from_numpy(np.abs(distance) > 1e-3)
    assert torch.equal(inside[clear], torch.from_numpy(distance > 0)[clear])


@pytest.mark.parametrize(
    "polygon",
    [
        (1, 2),
        [(0, 0), (1, 1)],
        [(0, 0, 0), (1, 1, 1), (2, 0, 0)],
        [(0, 0), (1, 1), (float("nan"), 0)],
        [(0, 0), (1,), (2, 2)],
        "mask.png",
        None,
    ],
    ids=["a corner", "two corners", "three coordinates", "NaN", "ragged", "text", "None"],
)
def test_what_is_no_polygon_is_an_error(polygon: object) -> None:
    with pytest.raises(InvalidInput, match=r"mask0: .*\[\[\(x, y\), .*but number 1 is ") as error:
        fill_polygons([[(0, 0), (1, 0), (1, 1)], polygon], (4, 4), "mask0")
    assert "\n" not in str(error.value)
