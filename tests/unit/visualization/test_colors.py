"""Colors can be told apart in gray."""

import pytest

from tiepoint.visualization.colors import INLIER, OUTLIER, SCORE_COLORS, Color, score_color


def brightness(color: Color) -> float:
    red, green, blue = color
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_the_brightness_rises_with_the_score() -> None:
    values = [brightness(score_color(strength / 20)) for strength in range(21)]
    assert values == sorted(values)
    assert values[-1] - values[0] > 100


@pytest.mark.parametrize(("strength", "index"), [(-1, 0), (0, 0), (0.5, 1), (1, 2), (7, 2)])
def test_scores_are_interpolated_and_clipped(strength: float, index: int) -> None:
    assert score_color(strength) == SCORE_COLORS[index]


def test_inliers_are_brighter_than_outliers() -> None:
    assert brightness(INLIER) > brightness(OUTLIER) + 70
