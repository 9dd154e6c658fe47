"""Pictures of inliers and outliers: the right colors, inliers on top, numbers that say all."""

import numpy as np
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, read_image
from tiepoint.visualization import draw_inliers, inliers
from tiepoint.visualization.colors import INLIER

POINTS = np.array([[20.0, 20.0], [20.0, 80.0]])


def black(width: int = 100, height: int = 100) -> Image:
    return read_image(np.zeros((height, width), np.uint8))


def drawn(fits: list[bool], points: np.ndarray = POINTS, **options) -> np.ndarray:
    picture = draw_inliers(black(), black(), points, points, np.array(fits), caption="", **options)
    return np.asarray(picture).astype(int)


def test_inliers_are_green_and_outliers_red() -> None:
    seen = drawn([True, False])
    for x in (20, 70, 120):
        assert seen[20, x, 1] > 150 > seen[20, x, 0]
        assert seen[80, x, 0] > 150 > 80 > seen[80, x, 1]


def test_inliers_and_outliers_can_be_told_apart_in_gray() -> None:
    gray = drawn([True, False]) @ np.array([0.299, 0.587, 0.114])
    assert gray[20, 70] > gray[80, 70] + 60 > 120


def test_outliers_have_crosses() -> None:
    """A dot covers the pixels next to its center; a cross leaves them free."""
    points = np.array([[20.0, 20.0], [20.0, 80.0]])
    picture = draw_inliers(black(), black(), points, points, np.array([True, False]), caption="")
    dot, cross = (np.asarray(picture.convert("L")).astype(int)[y - 2, 20] for y in (20, 80))
    assert dot > 100 > 60 > cross


@pytest.mark.parametrize("fits", [[True, False], [False, True]], ids=str)
@pytest.mark.parametrize("scores", [[0.1, 0.9], [0.9, 0.1]], ids=str)
def test_inliers_lie_on_top_whatever_the_scores(fits: list[bool], scores: list[float]) -> None:
    seen = drawn(fits, np.full((2, 2), 50.0), scores=np.array(scores))
    assert tuple(seen[50, 50]) == INLIER


def test_all_points_are_drawn_but_only_some_lines() -> None:
    seen = drawn([True, True], scores=np.array([0.2, 0.8]), max_lines=1)
    assert seen[20, 70].max() == 0
    assert seen[20, 20, 1] > 100
    assert seen[80, 70, 1] > 150


def test_tensors_draw_the_same() -> None:
    arrays = POINTS, POINTS, np.array([True, False])
    pictures = [
        draw_inliers(black(), black(), *values) for values in (arrays, [torch.from_numpy(a) for a in arrays])
    ]
    assert pictures[0].tobytes() == pictures[1].tobytes()


@pytest.mark.parametrize(
    ("fits", "shown", "expected"),
    [
        (np.arange(437) < 412, np.arange(437), "inliers: 412 of 437 matches"),
        (np.arange(1) < 1, np.arange(1), "inliers: 1 of 1 match"),
        (np.arange(0) < 0, np.arange(0), "inliers: 0 of 0 matches"),
        (
            np.arange(2000) < 1500,
            np.arange(1452, 1512),
            "inliers: 1,500 of 2,000 matches; lines: 48 inliers, 12 outliers",
        ),
    ],
    ids=["some", "one", "none", "many"],
)
def test_the_caption_counts_all(fits: np.ndarray, shown: np.ndarray, expected: str) -> None:
    assert inliers._count(fits, shown) == expected


def test_nothing_to_draw() -> None:
    empty = np.zeros((0, 2))
    picture = draw_inliers(black(), black(60, 50), empty, empty, np.zeros(0, bool), caption="")
    assert picture.size == (160, 100)
    assert np.asarray(picture).max() == 0


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (np.ones(3, bool), r"inliers: expected 2 booleans, one per match, got .*\(3,\)"),
        (np.ones(2), "inliers: expected 2 booleans"),
        (np.array([0, 1]), "inliers: expected 2 booleans"),
    ],
    ids=["too many", "floating point", "indices"],
)
def test_wrong_inliers_are_named(mask: np.ndarray, text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        draw_inliers(black(), black(), POINTS, POINTS, mask)
