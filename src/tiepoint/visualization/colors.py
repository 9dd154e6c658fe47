"""Colors that say something: how sure a match is, or which line belongs to which point."""

import colorsys
from typing import TypeAlias

Color: TypeAlias = tuple[int, int, int]

GOLDEN_RATIO = 0.6180339887498949
"""Multiples of it, modulo 1, never come close to each other."""


def red_to_green(strength: float) -> Color:
    """Red for 0, over yellow, to green for 1."""
    return _color(float(strength) / 3)


def distinct(count: int) -> list[Color]:
    """So many hues, evenly around the color circle."""
    return [_color(k / count) for k in range(count)]


def color_of(number: int) -> Color:
    """The same hue whenever the same number comes; neighboring numbers look different."""
    return _color(number * GOLDEN_RATIO % 1)


def _color(hue: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.9, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
