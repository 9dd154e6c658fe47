"""Automatic crop: the largest rectangle of a panorama without transparent pixels."""

import math

import numpy as np
from jaxtyping import Bool, UInt8

from tiepoint.image.resampling import Tile

MAX_SIDE = 1000  # px of the reduced mask in which the rectangle is searched


def largest_rectangle(alpha: UInt8[np.ndarray, "h w"]) -> Tile:
    """Return the largest rectangle of opaque pixels, to a few px; of width and height 0 if there are none.

    Args:
        alpha: Opacity; pixels above 0 belong to the panorama.
    """
    height, width = alpha.shape
    y, x = (max(1, math.ceil(length / MAX_SIDE)) for length in (height, width))
    rows, columns = height // y, width // x
    blocks = alpha[: rows * y, : columns * x].reshape(rows, y, columns, x)
    found = _largest(blocks.min(axis=(1, 3)) > 0)
    return Tile(found.left * x, found.top * y, found.width * x, found.height * y)


def _largest(is_opaque: Bool[np.ndarray, "h w"]) -> Tile:
    """Largest rectangle of a mask: the largest one below each histogram of heights."""
    best = Tile(0, 0, 0, 0)
    heights = np.zeros(is_opaque.shape[1], dtype=np.int64)
    for bottom, row in enumerate(is_opaque):
        heights = np.where(row, heights + 1, 0)
        left, width, height = _largest_below(heights.tolist())
        if width * height > best.width * best.height:
            best = Tile(left, bottom - height + 1, width, height)
    return best


def _largest_below(heights: list[int]) -> tuple[int, int, int]:
    """Largest rectangle (left, width, height) below a histogram, with a stack of ascending heights."""
    best = (0, 0, 0)
    stack: list[tuple[int, int]] = []  # (left, height)
    for right, height in enumerate([*heights, 0]):
        left = right
        while stack and stack[-1][1] >= height:
            left, top = stack.pop()
            if (right - left) * top > best[1] * best[2]:
                best = (left, right - left, top)
        stack.append((left, height))
    return best
