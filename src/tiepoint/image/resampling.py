"""Resampling of an image of any dtype and number of bands by a homography, tile by tile.

Inverse mapping; where the image has a finer resolution than the target, several samples per pixel are averaged, to
avoid aliasing. A translation by integers copies pixels.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image.displacement import DisplacementField
from tiepoint.io.messages import describe, unknown_name

Interpolation = Literal["nearest", "linear", "cubic"]
"""Interpolation between pixels; cubic is Keys' convolution with a = -0.75, as in PyTorch and OpenCV."""

MODES: dict[str, str] = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}

TILE_SIDE = 512  # side of a tile of the target in px
MAX_SAMPLES_PER_AXIS = 16  # samples along x or y per pixel of the target
MAX_PART_SIDE = 2048  # px of the image that a tile may show; larger tiles are split, to bound the memory
MARGIN = 3  # px around the part of the image that a tile shows, for cubic interpolation
MIN_VALIDITY = 1 - 1e-6  # interpolated mask from which on a pixel has data
INTEGER_TOLERANCE = 1e-9  # px

Array2D = Float[np.ndarray, "h w"]


class Tile(NamedTuple):
    """Rectangle of the target in px."""

    left: int
    top: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


class _Part(NamedTuple):
    """Part of the image: position in px, values (1, c, h, w), and 1 where there is no data (1, 1, h, w), or None."""

    left: int
    top: int
    pixels: Tensor
    invalid: Tensor | None


class WarpedTile(NamedTuple):
    """Part of a warped image.

    Attributes:
        tile: Position in the target.
        pixels: Values, shape (h, w, c), dtype of the image; 0 where nothing is known.
        is_inside: Whether the image shows the pixel, shape (h, w).
    """

    tile: Tile
    pixels: np.ndarray
    is_inside: Bool[np.ndarray, "h w"]


@dataclass(frozen=True, slots=True, eq=False)
class WarpedArray:
    """A warped image.

    Attributes:
        pixels: Values, shape (h, w, c) or (h, w) as the image, and its dtype; 0 where nothing is known.
        is_inside: Whether the image shows the pixel, shape (h, w).
    """

    pixels: np.ndarray
    is_inside: Bool[np.ndarray, "h w"]


class Resampler:
    """Warps an image to a target grid.

    Args:
        pixels: Image, shape (h, w, c), integers or floating point; may be mapped from a file.
        target_from_image: Homography from px of the image to px of the target, shape (3, 3).
        interpolation: "nearest", "linear" or "cubic".
        is_valid: Pixels with data, shape (h, w); None for all. NaN has no data.
        displacement: Offsets that are added to the positions in the image, for pixels of the target; None for none.

    Raises:
        InvalidInput: If the array has another shape or dtype, the interpolation is unknown, or the homography is singular or
            maps a part of the image to infinity (it crosses the horizon).
    """

    def __init__(
        self,
        pixels: np.ndarray,
        target_from_image: Float[np.ndarray, "3 3"],
        interpolation: Interpolation = "cubic",
        is_valid: Bool[np.ndarray, "h w"] | None = None,
        displacement: DisplacementField | None = None,
    ) -> None:
        if pixels.ndim != 3 or pixels.dtype.kind not in "uif":
            raise InvalidInput(f"pixels: expected real numbers of shape (h, w, c), got {describe(pixels)}")
        if interpolation not in get_args(Interpolation):
            raise InvalidInput(unknown_name("interpolation", interpolation, get_args(Interpolation)))
        self.pixels = pixels
        self.interpolation = interpolation
        self.is_valid = is_valid
        self.displacement = displacement
        self.image_from_target = _inverse(target_from_image, self.image_size)

    @property
    def image_size(self) -> tuple[int, int]:
        """Size (width, height) of the image in px."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def tiles(self, size: tuple[int, int], side: int = TILE_SIDE) -> Iterator[WarpedTile]:
        """Warp the image to a target, row by row of tiles.

        Args:
            size: Size (width, height) of the target in px.
            side: Side of the tiles in px; those at the right and bottom may be smaller.
        """
        width, height = size
        for top in range(0, height, side):
            for left in range(0, width, side):
                yield self.warp(Tile(left, top, min(side, width - left), min(side, height - top)))

    def warp(self, tile: Tile) -> WarpedTile:
        """Warp the part of the image that a tile of the target shows."""
        shift = self._integer_shift()
        if shift is not None:
            return self._copy(tile, *shift)
        scale = self._largest_scale(tile)
        if scale * max(tile.width, tile.height) > MAX_PART_SIDE and max(tile.width, tile.height) > 1:
            return _join(tile, [self.warp(part) for part in _quarters(tile)], self.pixels)
        return self._interpolate(tile, scale)

    def _integer_shift(self) -> tuple[int, int] | None:
        """Translation (x, y) from the target to the image, if the homography is one by integers."""
        if self.displacement is not None:
            return None
        H = self.image_from_target
        rounded = np.rint(H[:2, 2])
        is_shift = np.allclose(H[:, :2], np.eye(3)[:, :2], rtol=0, atol=1e-15) and H[2, 2] == 1
        if not is_shift or np.abs(H[:2, 2] - rounded).max() > INTEGER_TOLERANCE:
            return None
        return int(rounded[0]), int(rounded[1])

    def _copy(self, tile: Tile, dx: int, dy: int) -> WarpedTile:
        found = _empty(tile, self.pixels)
        (width, height), (left, top) = self.image_size, (tile.left + dx, tile.top + dy)
        x0, x1 = max(left, 0), min(left + tile.width, width)
        y0, y1 = max(top, 0), min(top + tile.height, height)
        if x0 < x1 and y0 < y1:
            part = self.pixels[y0:y1, x0:x1]
            target = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
            valid = self._validity(slice(y0, y1), slice(x0, x1), part)
            found.is_inside[target] = True if valid is None else valid
            found.pixels[target] = part if valid is None else np.where(valid[..., None], part, 0)
        return found

    def _interpolate(self, tile: Tile, scale: float) -> WarpedTile:
        found = _empty(tile, self.pixels)
        part = self._read_part(tile, scale)
        if part is None:
            return found
        count = self._samples_per_axis(scale)
        offsets = (np.arange(count) + 0.5) / count - 0.5
        total = np.zeros(found.pixels.shape)
        is_inside = np.ones((tile.height, tile.width), dtype=bool)
        for dy in offsets:
            for dx in offsets:
                x, y, inside = self._positions(tile, float(dx), float(dy))
                grid = _to_grid(x - part.left, y - part.top, part.pixels)
                total += self._sample(part, grid)
                is_inside &= inside
                if part.invalid is not None:
                    mode = "nearest" if self.interpolation == "nearest" else "bilinear"
                    is_inside &= _grid_sample(part.invalid, grid, mode)[..., 0] <= 1 - MIN_VALIDITY
        found.is_inside[:] = is_inside
        found.pixels[:] = np.where(is_inside[..., None], _to_dtype(total / count**2, self.pixels.dtype), 0)
        return found

    def _sample(self, part: "_Part", grid: Tensor) -> np.ndarray:
        """Interpolate; linearly where a cubic interpolation would mix in pixels without data."""
        values = _grid_sample(part.pixels, grid, MODES[self.interpolation])
        if part.invalid is None or self.interpolation != "cubic":
            return values
        near_invalid = _grid_sample(F.max_pool2d(part.invalid, 3, stride=1, padding=1), grid, "bilinear") > 0
        return np.where(near_invalid, _grid_sample(part.pixels, grid, "bilinear"), values)

    def _read_part(self, tile: Tile, scale: float) -> "_Part | None":
        """Return the part of the image that a tile shows; None if it shows nothing."""
        x, y, is_inside = self._positions(tile, 0.0, 0.0)
        if not is_inside.any():
            return None
        margin = MARGIN + math.ceil(scale)
        columns = _span(x[is_inside], self.image_size[0], margin)
        rows = _span(y[is_inside], self.image_size[1], margin)
        pixels = np.ascontiguousarray(self.pixels[rows, columns])
        valid = self._validity(rows, columns, pixels)
        dtype = torch.float32 if pixels.dtype == np.uint8 else torch.float64
        if valid is None:
            return _Part(columns.start, rows.start, _to_tensor(pixels, dtype), None)
        pixels = np.where(valid[..., None], pixels, 0)
        invalid = _to_tensor(~valid[..., None], dtype)
        return _Part(columns.start, rows.start, _to_tensor(pixels, dtype), invalid)

    def _positions(
        self, tile: Tile, dx: float, dy: float
    ) -> tuple[Array2D, Array2D, Bool[np.ndarray, "h w"]]:
        """Map the pixels of a tile, shifted by (dx, dy), to the image: x, y, and whether the image shows them."""
        columns = np.arange(tile.left, tile.left + tile.width) + dx
        rows = np.arange(tile.top, tile.top + tile.height)[:, None] + dy
        by_x, by_y, by_1 = self.image_from_target.T[:, :, None, None]
        x, y, w = by_x * columns + by_y * rows + by_1
        in_front = w > 0
        w = np.where(in_front, w, 1.0)
        x, y = x / w, y / w
        if self.displacement is not None:
            offset_x, offset_y = self.displacement.at(columns, rows[:, 0])
            x, y = x + offset_x, y + offset_y
        width, height = self.image_size
        return x, y, in_front & (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)

    def _samples_per_axis(self, scale: float) -> int:
        """Number of samples per axis that covers the pixels of the image below a pixel of the target."""
        if self.interpolation == "nearest":
            return 1
        return int(min(max(1, math.ceil(scale - 0.25)), MAX_SAMPLES_PER_AXIS))

    def _largest_scale(self, tile: Tile) -> float:
        """Largest distance in the image per px of the target."""
        corners = [
            (tile.left + u * tile.width, tile.top + v * tile.height) for u in (0, 0.5, 1) for v in (0, 0.5, 1)
        ]
        own = 0.0 if self.displacement is None else self.displacement.max_gradient
        return max(_scale(self.image_from_target, x, y) for x, y in corners) + own

    def _validity(self, rows: slice, columns: slice, part: np.ndarray) -> Bool[np.ndarray, "h w"] | None:
        """Pixels of a part of the image that have data; None if all have."""
        valid = None if self.is_valid is None else self.is_valid[rows, columns]
        if part.dtype.kind == "f":
            finite = np.asarray(np.isfinite(part).all(axis=2))
            valid = finite if valid is None else valid & finite
        return None if valid is None or valid.all() else valid


def warp_array(
    pixels: np.ndarray,
    target_from_image: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
    *,
    interpolation: Interpolation = "cubic",
) -> WarpedArray:
    """Warp a whole image to a target grid.

    Args:
        pixels: Image, shape (h, w) or (h, w, c), integers or floating point.
        target_from_image: Homography from px of the image to px of the target.
        size: Size (width, height) of the target in px.
        interpolation: "nearest", "linear" or "cubic".

    Raises:
        InvalidInput: Same as for `Resampler`.
    """
    bands = pixels[..., None] if pixels.ndim == 2 else pixels
    warped = warp_whole(Resampler(bands, target_from_image, interpolation), size)
    return WarpedArray(warped.pixels[..., 0], warped.is_inside) if pixels.ndim == 2 else warped


def warp_whole(resampler: Resampler, size: tuple[int, int]) -> WarpedArray:
    """Warp a whole image, tile by tile.

    Args:
        resampler: Image and mapping.
        size: Size (width, height) of the target in px.
    """
    width, height = size
    target = np.zeros((height, width, resampler.pixels.shape[2]), dtype=resampler.pixels.dtype)
    is_inside = np.zeros((height, width), dtype=bool)
    for tile, values, inside in resampler.tiles(size):
        target[tile.slices], is_inside[tile.slices] = values, inside
    return WarpedArray(target, is_inside)


def is_in_front(homography: Float[np.ndarray, "3 3"], image_size: tuple[int, int]) -> bool:
    """Return whether a homography maps no point of an image to infinity: w has one sign at all corners.

    Args:
        homography: Homography from px of the image.
        image_size: Size (width, height) of the image in px.
    """
    width, height = image_size
    corners = np.array([(x, y, 1.0) for x in (-0.5, width - 0.5) for y in (-0.5, height - 0.5)])
    w = corners @ homography[2]
    return bool((w > 0).all() or (w < 0).all())


def _inverse(target_from_image: np.ndarray, image_size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """Invert a homography, with a sign that makes w positive in front of the camera."""
    H = np.asarray(target_from_image, dtype=np.float64)
    if H.shape != (3, 3) or not np.isfinite(H).all():
        raise InvalidInput(
            f"the homography must be a finite matrix (3, 3), got {describe(target_from_image)}"
        )
    if not is_in_front(H, image_size):
        raise InvalidInput(
            "the homography maps a part of the image to infinity (it crosses the horizon), so the image cannot be warped"
        )
    unit = np.diag([max(image_size), max(image_size), 1.0])
    if not np.linalg.cond(np.linalg.inv(unit) @ H @ unit) < 1e10:
        raise InvalidInput("the homography is singular, so the image cannot be warped")
    inverse = np.linalg.inv(H * np.sign(H[2] @ (0.0, 0.0, 1.0)))
    return inverse / inverse[2, 2] if inverse[2, 2] > 0 else inverse


def _empty(tile: Tile, pixels: np.ndarray) -> WarpedTile:
    return WarpedTile(
        tile,
        np.zeros((tile.height, tile.width, pixels.shape[2]), dtype=pixels.dtype),
        np.zeros((tile.height, tile.width), dtype=bool),
    )


def _quarters(tile: Tile) -> list[Tile]:
    """Split a tile at its middle; a side of 1 px is not split."""
    columns, rows = (_halves(tile.left, tile.width), _halves(tile.top, tile.height))
    return [Tile(left, top, width, height) for top, height in rows for left, width in columns]


def _halves(start: int, length: int) -> list[tuple[int, int]]:
    half = length // 2
    return [(start, length)] if half == 0 else [(start, half), (start + half, length - half)]


def _join(tile: Tile, parts: list[WarpedTile], pixels: np.ndarray) -> WarpedTile:
    """Assemble a tile from its parts."""
    found = _empty(tile, pixels)
    for part in parts:
        target = part.tile._replace(left=part.tile.left - tile.left, top=part.tile.top - tile.top).slices
        found.pixels[target], found.is_inside[target] = part.pixels, part.is_inside
    return found


def _span(positions: np.ndarray, length: int, margin: int) -> slice:
    """Rows or columns of the image that positions need."""
    first = max(math.floor(positions.min()) - margin, 0)
    return slice(first, min(math.ceil(positions.max()) + margin + 1, length))


def _to_grid(x: Array2D, y: Array2D, pixels: Tensor) -> Tensor:
    """Coordinates of `grid_sample`: the borders of the part are -1 and 1."""
    height, width = pixels.shape[2:]
    grid = np.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], axis=-1)
    return torch.from_numpy(grid).to(pixels.dtype)[None]


def _to_tensor(part: np.ndarray, dtype: torch.dtype) -> Tensor:
    kind = np.float32 if dtype == torch.float32 else np.float64
    return torch.from_numpy(part.transpose(2, 0, 1).astype(kind))[None]


def _grid_sample(image: Tensor, grid: Tensor, mode: str) -> np.ndarray:
    found = F.grid_sample(image, grid, mode=mode, padding_mode="border", align_corners=False)
    return found[0].permute(1, 2, 0).numpy()


def _to_dtype(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.rint(values).clip(limits.min, limits.max).astype(dtype)


def _scale(image_from_target: np.ndarray, x: float, y: float) -> float:
    """Largest distance in the image per px of the target, at a point of the target."""
    u, v, w = image_from_target @ (x, y, 1.0)
    if w <= 0:
        return 1.0
    jacobian = (image_from_target[:2, :2] - np.outer((u / w, v / w), image_from_target[2, :2])) / w
    return float(np.linalg.norm(jacobian, ord=2))
