"""Pictures of inliers and outliers: the right colors, inliers on top, numbers that say all."""

import numpy as np
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, read_image
from tiepoint.visualization import draw_inliers, draw_matches, inliers

POINTS = np.array([[20.0, 20.0], [20.0, 80.0]])


def black(width: int = 100, height: int = 100) -> Image:
    return read_image(np.zeros((height, width), np.uint8))


def drawn(fits: list[bool], points: np.ndarray = POINTS, **options) -> np.ndarray:
    picture = draw_inliers(black(), black(), points, points, np.array(fits), caption="", **options)
    return np.asarray(picture).astype(int)


def test_inliers_are_green_and_outliers_red() -> None:
    seen = drawn([True, False])
    for x in (20, 70, 120):
        assert seen[20, x, 1] > 150 > 40 > seen[20, x, 0]
        assert seen[80, x, 0] > 150 > 40 > seen[80, x, 1]


@pytest.mark.parametrize("fits", [[True, False], [False, True]], ids=str)
@pytest.mark.parametrize("scores", [[0.1, 0.9], [0.9, 0.1]], ids=str)
def test_inliers_lie_on_top_whatever_the_scores(fits: list[bool], scores: list[float]) -> None:
    seen = drawn(fits, np.full((2, 2), 50.0), scores=np.array(scores))
    assert seen[50, 50, 1] > 200 > 40 > seen[50, 50, 0]


def test_scores_decide_which_are_drawn() -> None:
    seen = drawn([True, False], scores=np.array([0.2, 0.8]), max_lines=1)
    assert seen[20].max() == 0
    assert seen[80, 20, 0] > 200


def test_without_outliers_it_is_the_picture_of_the_matches() -> None:
    expected = draw_matches(black(), black(), POINTS, POINTS, caption="")
    np.testing.assert_array_equal(drawn([True, True]), np.asarray(expected))


def test_tensors_draw_the_same() -> None:
    arrays = POINTS, POINTS, np.array([True, False])
    pictures = [
        draw_inliers(black(), black(), *values) for values in (arrays, [torch.from_numpy(a) for a in arrays])
    ]
    assert pictures[0].tobytes() == pictures[1].tobytes()


@pytest.mark.parametrize(
    ("fits", "shown", "which", "expected"),
    [
        (np.arange(437) < 412, 437, "best", "inliers: 412 of 437 matches"),
        (np.arange(1) < 1, 1, "best", "inliers: 1 of 1 match"),
        (np.arange(0) < 0, 0, "best", "inliers: 0 of 0 matches"),
        (np.arange(2000) < 1500, 500, "best", "inliers: 1,500 of 2,000 matches, the best 500 shown"),
        (np.arange(3) < 1, 2, "first", "inliers: 1 of 3 matches, the first 2 shown"),
    ],
    ids=["some", "one", "none", "many", "without scores"],
)
def test_the_caption_counts_all(fits: np.ndarray, shown: int, which: str, expected: str) -> None:
    assert inliers._count(fits, shown, which) == expected


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
