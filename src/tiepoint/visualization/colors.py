"""Colors for scores, and distinct colors for points and tracks."""

import colorsys
from typing import TypeAlias

Color: TypeAlias = tuple[int, int, int]

# Multiples of the golden ratio modulo 1 are well distributed
GOLDEN_RATIO = 0.6180339887498949


def red_to_green(strength: float) -> Color:
    """Return red for 0, yellow for 0.5, green for 1."""
    return _color(float(strength) / 3)


def distinct(count: int) -> list[Color]:
    """Return evenly distributed hues."""
    return [_color(k / count) for k in range(count)]


def color_of(number: int) -> Color:
    """Return the hue of a number; consecutive numbers have distinct hues."""
    return _color(number * GOLDEN_RATIO % 1)


def _color(hue: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.9, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
