"""Canvas: the pixel grid of a panorama on its surface, and images warped to parts of it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from tiepoint.errors import InvalidInput
from tiepoint.image.resampling import Tile
from tiepoint.stitching.rotations import import_cv2
from tiepoint.stitching.views import RotatedView, View, bounds

MAP_STEP = 8  # px between the points at which a warp is computed exactly; it is interpolated between them
ROUNDING = 1e-6  # px; tolerance so that borders of pixels do not depend on rounding
MAX_GROWTH = 50  # maximum area of a canvas, relative to the images; a larger one indicates wrong cameras


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Pixel grid on a surface: pixel (x, y) is at ((x + left) / scale, (y + top) / scale).

    Attributes:
        scale: Pixels per unit of the surface.
        left: First column.
        top: First row.
        width: Number of columns.
        height: Number of rows.
    """

    scale: float
    left: int
    top: int
    width: int
    height: int

    def reduced(self, factor: float) -> "Canvas":
        """Return a canvas of the same surface with `factor` times as many pixels per axis."""
        left, top = math.floor(self.left * factor), math.floor(self.top * factor)
        right, bottom = (self.left + self.width) * factor, (self.top + self.height) * factor
        return Canvas(
            scale=self.scale * factor,
            left=left,
            top=top,
            width=math.ceil(right) - left,
            height=math.ceil(bottom) - top,
        )

    def roi(self, view: View) -> Tile:
        """Return the bounding box of a view in px of the canvas."""
        box = bounds(view)
        assert box is not None, "views were checked"
        low = np.ceil(box[0] * self.scale - ROUNDING).astype(int) - (self.left, self.top)
        high = np.floor(box[1] * self.scale + ROUNDING).astype(int) - (self.left, self.top) + 1
        low, high = np.maximum(low, 0), np.minimum(high, (self.width, self.height))
        return Tile(int(low[0]), int(low[1]), max(1, int(high[0] - low[0])), max(1, int(high[1] - low[1])))

    def tiles(self, side: int) -> Iterator[Tile]:
        """Yield tiles row by row; those at the right and bottom may be smaller."""
        for top in range(0, self.height, side):
            for left in range(0, self.width, side):
                yield Tile(left, top, min(side, self.width - left), min(side, self.height - top))


def make_canvas(views: Sequence[View], max_megapixels: float) -> Canvas:
    """Return a canvas that holds all views, with about the resolution of the images.

    Args:
        views: Views, all of them in front of the horizon.
        max_megapixels: Maximum size; a larger canvas is reduced.

    Raises:
        InvalidInput: If a view crosses the horizon, or the canvas is implausibly large.
    """
    boxes = [bounds(view) for view in views]
    if any(box is None for box in boxes):
        raise InvalidInput("an image crosses the horizon of the surface; use projection='sphere'")
    box = np.stack([each for each in boxes if each is not None])
    low, high = box[:, 0].min(axis=0), box[:, 1].max(axis=0)
    scale = natural_scale(views)
    width, height = (float(value) for value in (high - low) * scale)
    area = width * height
    images = float(sum(view.image_size[0] * view.image_size[1] for view in views))
    if not 0 < area < MAX_GROWTH * images:
        raise InvalidInput(
            f"the panorama would have {area / 1e6:,.0f} megapixels, {area / images:,.0f} times as many as the images; the "
            "estimated cameras are probably wrong: leave images out, or use another model or projection"
        )
    scale *= min(1.0, (max_megapixels * 1e6 / area) ** 0.5)
    # pixels whose centers are on an image
    left, top = (math.ceil(value * scale - ROUNDING) for value in low)
    right, bottom = (math.floor(value * scale + ROUNDING) + 1 for value in high)
    return Canvas(scale=scale, left=left, top=top, width=max(1, right - left), height=max(1, bottom - top))


def warp(
    view: View, canvas: Canvas, tile: Tile, pixels: UInt8[np.ndarray, "h w 3"]
) -> tuple[UInt8[np.ndarray, "t u 3"], UInt8[np.ndarray, "t u"]]:
    """Warp an image to a part of a canvas.

    Args:
        view: View of the image.
        canvas: Canvas.
        tile: Part of the canvas.
        pixels: Image at full size or reduced.

    Returns:
        Colors, mirrored beyond the borders of the image for blending, and 255 where the image shows the pixel.
    """
    cv2 = import_cv2()
    x, y = _maps(cv2, view, canvas, tile)
    (width, height), (rows, columns) = view.image_size, pixels.shape[:2]
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    x, y = (np.nan_to_num(value, nan=-1) for value in (x, y))
    x = np.clip((x + 0.5) * (columns / width) - 0.5, -columns, 2 * columns).astype(np.float32)
    y = np.clip((y + 0.5) * (rows / height) - 0.5, -rows, 2 * rows).astype(np.float32)
    colors = cv2.remap(pixels, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return colors, inside.astype(np.uint8) * np.uint8(255)


def _maps(
    cv2: Any, view: View, canvas: Canvas, tile: Tile
) -> tuple[Float32[np.ndarray, "t u"], Float32[np.ndarray, "t u"]]:
    """Positions in the image of the pixels of a tile: exact on a grid, linearly interpolated between."""
    columns = np.arange(0, tile.width + MAP_STEP, MAP_STEP) + tile.left + canvas.left
    rows = np.arange(0, tile.height + MAP_STEP, MAP_STEP) + tile.top + canvas.top
    surface = np.stack(np.meshgrid(columns, rows), axis=-1) / canvas.scale
    points = view.to_image(surface).astype(np.float32)
    x, y = (np.arange(count, dtype=np.float32) / MAP_STEP for count in (tile.width, tile.height))
    at = np.broadcast_arrays(x[None, :], y[:, None])
    fine = cv2.remap(points, np.ascontiguousarray(at[0]), np.ascontiguousarray(at[1]), cv2.INTER_LINEAR)
    return fine[..., 0], fine[..., 1]


def natural_scale(views: Sequence[View]) -> float:
    """Return the px per unit of the surface at the resolution of the images.

    Args:
        views: Views; the median of their focal lengths, or 1 on the plane of a reference image.
    """
    focal_lengths = [view.focal_px for view in views if isinstance(view, RotatedView)]
    return float(np.median(focal_lengths)) if focal_lengths else 1.0
