"""Polygons to a boolean map."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from tiepoint.errors import InvalidInput


def fill_polygons(polygons: Sequence, image_size: tuple[int, int], name: str) -> Bool[Tensor, "h w"]:
    """Mark the pixels whose centers lie inside of any polygon; they may reach beyond the image.

    Args:
        polygons: each a list of at least three corners (x, y) in px; the center of the top-left pixel is (0, 0).
            Where a polygon crosses itself, inside is what an odd number of its edges encloses.
        image_size: (width, height) in px.
        name: what error messages call them.

    Raises:
        InvalidInput: a polygon of another form, or with fewer than three corners.
    """
    width, height = image_size
    inside = np.zeros((height, width), bool)
    for number, polygon in enumerate(polygons):
        inside |= _filled(_corners(polygon, number, name), width, height)
    return torch.from_numpy(inside)


def _corners(polygon: Any, number: int, name: str) -> np.ndarray:
    try:
        corners = np.asarray(polygon, dtype=np.float64)
    except (TypeError, ValueError):
        corners = np.empty((0, 0))
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
        raise InvalidInput(
            f"{name}: a mask of polygons is a list of lists of three or more corners, [[(x, y), (x, y), (x, y)], …], "
            f"but number {number} is {_short(polygon)}"
        )
    return corners


def _filled(corners: np.ndarray, width: int, height: int) -> np.ndarray:
    """Each edge flips the pixels to its right, row by row: what was flipped an odd number of times lies inside."""
    flips = np.zeros((height, width + 1), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        top, bottom = np.clip(np.ceil([min(y0, y1), max(y0, y1)]), 0, height).astype(int)
        if top < bottom:
            rows = np.arange(top, bottom)
            crossings = x0 + (rows - y0) * ((x1 - x0) / (y1 - y0))
            flips[rows, np.clip(np.ceil(crossings), 0, width).astype(int)] ^= True
    return np.logical_xor.accumulate(flips, axis=1)[:, :-1]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."
