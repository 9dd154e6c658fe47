"""Colors for scores, inliers and outliers, and distinct colors for points and tracks."""

import colorsys
from typing import TypeAlias

Color: TypeAlias = tuple[int, int, int]

# Low, medium and high scores
SCORE_COLORS: tuple[Color, ...] = ((190, 60, 190), (255, 135, 50), (255, 245, 130))

# Bright and dark, so that they can be told apart in gray
INLIER: Color = (130, 255, 130)
OUTLIER: Color = (255, 70, 70)

# Multiples of the golden ratio modulo 1 are well distributed
GOLDEN_RATIO = 0.6180339887498949


def score_color(strength: float) -> Color:
    """Return purple for 0, orange for 0.5, light yellow for 1; the brightness rises, so that it can be told in gray."""
    position = min(max(float(strength), 0.0), 1.0) * (len(SCORE_COLORS) - 1)
    below = min(int(position), len(SCORE_COLORS) - 2)
    pairs = zip(SCORE_COLORS[below], SCORE_COLORS[below + 1], strict=True)
    red, green, blue = (round(low + (position - below) * (high - low)) for low, high in pairs)
    return red, green, blue


def distinct(count: int) -> list[Color]:
    """Return evenly distributed hues."""
    return [_color(k / count) for k in range(count)]


def color_of(number: int) -> Color:
    """Return the hue of a number; consecutive numbers have distinct hues."""
    return _color(number * GOLDEN_RATIO % 1)


def _color(hue: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.9, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
