"""Colours that say something: how sure a match is, or which line belongs to which point."""

import colorsys
from typing import TypeAlias

Color: TypeAlias = tuple[int, int, int]


def red_to_green(strength: float) -> Color:
    """Red for 0, over yellow, to green for 1."""
    return _color(float(strength) / 3)


def distinct(count: int) -> list[Color]:
    """So many hues, evenly around the colour circle."""
    return [_color(k / count) for k in range(count)]


def _color(hue: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.9, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
