"""Splitting a large image into overlapping tiles whose cores partition it."""

import math
from itertools import pairwise, product
from typing import Any, NamedTuple

from tiepoint.errors import InvalidInput
from tiepoint.io.validation import is_integer
from tiepoint.types.options import Tiling

MEMORY_BYTES = 2 << 30
"""Memory limit of a network for one image or one tile with tile="auto"."""
OVERLAP = 128
"""Overlap of a tile with its neighbors in px; pixels further away hardly affect scores and descriptors."""
MIN_TILE_SIDE = 512
"""Minimum tile side in px; smaller tiles would be mostly overlap."""


class Box(NamedTuple):
    """A rectangle of pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Slices (rows, columns) that crop the box from an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def relative_to(self, other: "Box") -> "Box":
        """Return the box in coordinates relative to the top-left corner of another box."""
        left, top = other.left, other.top
        return Box(self.left - left, self.top - top, self.right - left, self.bottom - top)


class GridTile(NamedTuple):
    """A tile: the crop that the network processes, and the core whose keypoints are kept.

    Attributes:
        crop: Core with its overlap.
        core: Part of the image; the cores of all tiles partition the image.
    """

    crop: Box
    core: Box


def tile_side(tile: Tiling, image_size: tuple[int, int], bytes_per_pixel: int) -> int | None:
    """Return the maximum tile side in px; None if the image is processed as a whole.

    Args:
        tile: Tiling option.
        image_size: Size (width, height) of the network's input in px.
        bytes_per_pixel: Peak memory of the network per pixel in bytes.
    """
    width, height = image_size
    if tile == "auto":
        max_pixels = MEMORY_BYTES // bytes_per_pixel
        return None if width * height <= max_pixels else math.isqrt(max_pixels)
    return None if tile is None or max(image_size) <= tile else tile


def split_into_tiles(
    image_size: tuple[int, int], side: int, *, stride: int, origin: tuple[int, int], overlap: int = OVERLAP
) -> list[GridTile]:
    """Return the tiles of an image, row by row; their cores have about the same size.

    Args:
        image_size: Size (width, height) of the image in px.
        side: Maximum tile side in px; larger than twice the overlap plus one stride.
        stride: Grid step in px; tiles start and end on the grid or at the border of the image.
        origin: Origin (x, y) of the grid in px, at most 0 and greater than -stride.
        overlap: Overlap on each side of the core in px; a multiple of the stride.
    """
    columns, rows = (
        _split_axis(length, side, stride=stride, origin=start, overlap=overlap)
        for length, start in zip(image_size, origin, strict=True)
    )
    return [
        GridTile(
            Box(x.crop[0], y.crop[0], x.crop[1], y.crop[1]), Box(x.core[0], y.core[0], x.core[1], y.core[1])
        )
        for y, x in product(rows, columns)
    ]


def check_tiling(tile: Any) -> Tiling:
    """Return a tiling option, with NumPy integers as Python's.

    Raises:
        InvalidInput: If the value is not a tiling option, or the tiles are too small.
    """
    if tile is None or tile == "auto":
        return tile
    if is_integer(tile, MIN_TILE_SIDE):
        return int(tile)
    raise InvalidInput(
        f"tile must be 'auto', None, or a side of at least {MIN_TILE_SIDE} px, got {tile!r}; "
        f"tiles overlap by {OVERLAP} px on each side"
    )


class _Span(NamedTuple):
    crop: tuple[int, int]
    core: tuple[int, int]


def _split_axis(length: int, side: int, *, stride: int, origin: int, overlap: int) -> list[_Span]:
    if length <= side:
        return [_Span((0, length), (0, length))]
    max_core = (side - 2 * overlap) // stride * stride
    count = math.ceil(length / max_core)
    step = math.ceil(length / count / stride) * stride
    cuts = [0, *range(origin + step, length, step), length]
    return [
        _Span((max(start - overlap, 0), min(end + overlap, length)), (start, end))
        for start, end in pairwise(cuts)
    ]
