"""Canvas: the pixel grid of a panorama on its surface, and images warped to parts of it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from tiepoint.errors import InvalidInput
from tiepoint.image.resampling import Tile
from tiepoint.stitching.rotations import import_cv2
from tiepoint.stitching.views import RotatedView, View, bounds, is_curved, resolution

MAP_STEP = 8  # px between the points at which a warp is computed exactly; it is interpolated between them
ROUNDING = 1e-6  # px; tolerance so that borders of pixels do not depend on rounding
MAX_REDUCTION = 2.0  # from which on the pixels of an image are averaged before they are interpolated
REDUCTION_STEP = 16  # px between the points at which the reduction of an image is measured
REFERENCE_TOLERANCE = 1.25  # ratio of resolutions up to which a plane keeps the px of the reference image
CIRCLE = 2 * math.pi
PERIOD_STEP = 32  # px of which the full circle is a multiple: 2^NUM_BANDS of blending
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
        period: Number of columns of the full circle, if images continue from the last column to the first; else None.
    """

    scale: float
    left: int
    top: int
    width: int
    height: int
    period: int | None = None

    def reduced(self, factor: float) -> "Canvas":
        """Return a canvas of the same surface with `factor` times as many pixels per axis.

        The factor is adjusted so that a full circle has an integer number of columns.
        """
        period = None if self.period is None else max(1, round(self.period * factor))
        factor = factor if self.period is None or period is None else period / self.period
        left, top = math.floor(self.left * factor), math.floor(self.top * factor)
        right, bottom = (self.left + self.width) * factor, (self.top + self.height) * factor
        return Canvas(
            scale=self.scale * factor,
            left=left,
            top=top,
            width=period or math.ceil(right) - left,
            height=math.ceil(bottom) - top,
            period=period,
        )

    def roi(self, view: View) -> Tile:
        """Return the bounding box of a view in px of the canvas.

        In a full circle, the first column is that of the canvas, and the last one may be beyond its end.
        """
        box = bounds(view)
        assert box is not None, "views were checked"
        low = np.ceil(box[0] * self.scale - ROUNDING).astype(int) - (self.left, self.top)
        high = np.floor(box[1] * self.scale + ROUNDING).astype(int) - (self.left, self.top) + 1
        (left, top), (right, bottom) = low.tolist(), high.tolist()
        top, bottom = max(0, top), min(self.height, bottom)
        if self.period is None:
            left, right = max(0, left), min(self.width, right)
        else:
            left, right = left % self.period, left % self.period + min(right - left, self.period)
        return Tile(left, top, max(1, right - left), max(1, bottom - top))

    def to_px(self, points: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "k 2"]:
        """Map points of the surface to px; in a full circle, from the first column on."""
        pixels = points * self.scale - (self.left, self.top)
        if self.period is not None:
            pixels[:, 0] = np.remainder(pixels[:, 0] + 0.5, self.period) - 0.5
        return pixels

    def shifts(self, first: Tile, second: Tile) -> list[int]:
        """Return the numbers of columns by which the second rectangle is shifted so that it overlaps with the first one.

        Args:
            first: Rectangle in px of the canvas.
            second: Rectangle; its shifts are multiples of the full circle, or 0.
        """
        candidates = (0,) if self.period is None else (-self.period, 0, self.period)
        return [shift for shift in candidates if _intersect(first, second._replace(left=second.left + shift))]

    def tiles(self, side: int) -> Iterator[Tile]:
        """Yield tiles row by row; those at the right and bottom may be smaller."""
        for top in range(0, self.height, side):
            for left in range(0, self.width, side):
                yield Tile(left, top, min(side, self.width - left), min(side, self.height - top))


def make_canvas(views: Sequence[View], max_megapixels: float) -> Canvas:
    """Return a canvas that holds all views, at their natural scale; it closes if a view continues across the back.

    Args:
        views: Views on one surface, all of them in front of the horizon.
        max_megapixels: Maximum size; a larger canvas is reduced.

    Raises:
        InvalidInput: If a view crosses the horizon, or the canvas is implausibly large.
    """
    boxes = [bounds(view) for view in views]
    if any(box is None for box in boxes):
        raise InvalidInput("an image crosses the horizon of the surface; use projection='sphere'")
    box = np.stack([each for each in boxes if each is not None])
    low, high = box[:, 0].min(axis=0), box[:, 1].max(axis=0)
    is_closed = is_curved(views[0]) and bool(
        low[0] < -math.pi or high[0] > math.pi or high[0] - low[0] >= CIRCLE
    )
    if is_closed:
        low[0], high[0] = -math.pi, math.pi
    scale = natural_scale(views)
    surface = float(high[0] - low[0]) * float(high[1] - low[1])
    growth = surface * (scale if isinstance(views[0], RotatedView) else 1.0) ** 2  # px of the reference image
    images = float(sum(view.image_size[0] * view.image_size[1] for view in views))
    if not 0 < growth < MAX_GROWTH * images:
        raise InvalidInput(
            f"the panorama would have {growth / 1e6:,.0f} megapixels, {growth / images:,.0f} times as many as the images; the "
            "estimated cameras are probably wrong: leave images out, or use another model or projection"
        )
    reduction = min(1.0, (max_megapixels * 1e6 / surface) ** 0.5 / scale)
    if is_closed:
        return _closed_canvas(scale * reduction, float(low[1]), float(high[1]), is_reduced=reduction < 1)
    scale *= reduction
    # pixels whose centers are on an image
    left, top = (math.ceil(value * scale - ROUNDING) for value in low)
    right, bottom = (math.floor(value * scale + ROUNDING) + 1 for value in high)
    return Canvas(scale=scale, left=left, top=top, width=max(1, right - left), height=max(1, bottom - top))


def _closed_canvas(scale: float, low: float, high: float, *, is_reduced: bool) -> Canvas:
    """Canvas of a full circle; its scale is adjusted so that the pyramids of blending close, too.

    Args:
        scale: Approximate px per rad; a maximum if the canvas is reduced.
        low: First coordinate along y.
        high: Last coordinate along y.
        is_reduced: Whether the canvas must not be larger.
    """
    steps = CIRCLE * scale / PERIOD_STEP
    period = PERIOD_STEP * max(1, math.floor(steps) if is_reduced else round(steps))
    scale = period / CIRCLE
    top, bottom = math.ceil(low * scale - ROUNDING), math.floor(high * scale + ROUNDING) + 1
    return Canvas(
        scale=scale, left=-period // 2, top=top, width=period, height=max(1, bottom - top), period=period
    )


def warp(
    view: View, canvas: Canvas, tile: Tile, pixels: UInt8[np.ndarray, "h w c"]
) -> tuple[UInt8[np.ndarray, "t u 3"], UInt8[np.ndarray, "t u"]]:
    """Warp an image to a part of a canvas; where it is reduced by more than `MAX_REDUCTION`, its pixels are averaged.

    Args:
        view: View of the image.
        canvas: Canvas.
        tile: Part of the canvas.
        pixels: Image at full size or reduced, RGB, with 255 as fourth channel where it is visible if not everywhere.

    Returns:
        Colors, mirrored beyond the borders of the image for blending, and 255 where the image shows the pixel.
    """
    cv2 = import_cv2()
    x, y = _maps(cv2, view, canvas, tile)
    inside = _is_inside(view, x, y)
    (width, height), (rows, columns) = view.image_size, pixels.shape[:2]
    reduction = _reduction(x, y, inside) * (columns / width)
    if reduction > MAX_REDUCTION:
        size = max(1, round(columns / reduction)), max(1, round(rows / reduction))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        columns, rows = size
    x, y = (np.nan_to_num(value, nan=-1) for value in (x, y))
    x = np.clip((x + 0.5) * (columns / width) - 0.5, -columns, 2 * columns).astype(np.float32)
    y = np.clip((y + 0.5) * (rows / height) - 0.5, -rows, 2 * rows).astype(np.float32)
    colors = cv2.remap(pixels, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    if colors.shape[2] == 4:
        inside &= colors[..., 3] == 255
        colors = np.ascontiguousarray(colors[..., :3])
    return colors, inside.astype(np.uint8) * np.uint8(255)


def shows(view: View, canvas: Canvas, tile: Tile) -> Bool[np.ndarray, "t u"]:
    """Return which pixels of a part of a canvas a view shows, transparent or not."""
    return _is_inside(view, *_maps(import_cv2(), view, canvas, tile))


def _is_inside(
    view: View, x: Float32[np.ndarray, "t u"], y: Float32[np.ndarray, "t u"]
) -> Bool[np.ndarray, "t u"]:
    width, height = view.image_size
    return (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)


def _reduction(
    x: Float32[np.ndarray, "t u"], y: Float32[np.ndarray, "t u"], inside: Bool[np.ndarray, "t u"]
) -> float:
    """Typical distance in px of the image between the pixels of a tile that it shows; 1 if there are none."""
    step = (slice(None, None, REDUCTION_STEP),) * 2
    known = inside[step][:-1, :-1] & inside[step][1:, :-1] & inside[step][:-1, 1:]
    if not known.any():
        return 1.0
    (x_down, x_right), (y_down, y_right) = (
        (np.diff(each[step], axis=0)[:, :-1][known], np.diff(each[step], axis=1)[:-1][known])
        for each in (x, y)
    )
    area = np.abs(x_right * y_down - x_down * y_right)
    return float(np.median(area)) ** 0.5 / REDUCTION_STEP


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
    """Return the px per unit of the surface at which half of the surface of all images keeps its resolution.

    It is the median of the resolutions, weighted by the areas of the images on the surface. Homographies keep the px of
    the reference image, 1 per unit, unless the median differs from it by more than 25 %.

    Args:
        views: Views on one surface.
    """
    resolutions = sorted((resolution(view), view.image_size[0] * view.image_size[1]) for view in views)
    covered = np.cumsum([pixels / px**2 for px, pixels in resolutions])
    middle = int(np.argmax(covered >= covered[-1] / 2 * (1 - ROUNDING)))
    found = resolutions[middle][0]
    if isinstance(views[0], RotatedView):
        return found
    return 1.0 if 1 / REFERENCE_TOLERANCE <= found <= REFERENCE_TOLERANCE else found


def _intersect(first: Tile, second: Tile) -> bool:
    return (
        first.left < second.left + second.width
        and second.left < first.left + first.width
        and first.top < second.top + second.height
        and second.top < first.top + first.height
    )
