"""Cut a large image into overlapping tiles whose cores partition it."""

import math
from itertools import pairwise, product
from numbers import Integral
from typing import Any, Literal, NamedTuple

from tiepoint.errors import InvalidInput

Tiling = int | Literal["auto"] | None
"""Side in px of the tiles; "auto": only where the memory would not suffice; None: never."""

MEMORY_BYTES = 2 << 30
"""What a network may take for one image, or for one tile, with tile="auto"."""
OVERLAP = 128
"""Px that a tile shows of its neighbors: what lies further away changes scores and descriptors hardly at all."""
SMALLEST_TILE = 512
"""In px; smaller tiles would be mostly overlap."""


class Box(NamedTuple):
    """A rectangle of pixels; right and bottom are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """What cuts it from an array (…, height, width), after an ellipsis."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def within(self, other: "Box") -> "Box":
        """The same box, counted from the corner of another."""
        left, top = other.left, other.top
        return Box(self.left - left, self.top - top, self.right - left, self.bottom - top)


class GridTile(NamedTuple):
    """What the network is shown, and the part of it whose keypoints are taken.

    Attributes:
        shown: with the overlap.
        core: each pixel of the image lies in one core.
    """

    shown: Box
    core: Box


def tile_side(tile: Tiling, image_size: tuple[int, int], bytes_per_pixel: int) -> int | None:
    """Side of the tiles in px; None where the image is done as a whole.

    Args:
        tile: see `Tiling`.
        image_size: (width, height) in px of what the network would see.
        bytes_per_pixel: what the network takes.
    """
    width, height = image_size
    if tile == "auto":
        affordable = MEMORY_BYTES // bytes_per_pixel
        return None if width * height <= affordable else math.isqrt(affordable)
    return None if tile is None or max(image_size) <= tile else tile


def tiles_of(
    image_size: tuple[int, int], side: int, *, stride: int, origin: tuple[int, int], overlap: int = OVERLAP
) -> list[GridTile]:
    """The tiles of an image, row by row; their cores are about equally large.

    Args:
        image_size: (width, height) in px.
        side: the longest that a tile may be, in px; larger than the overlap on both sides and one stride.
        stride: a tile begins and ends at multiples of it, or at the border of the image, in px.
        origin: (x, y) in px from which they count, at most 0 and more than -stride.
        overlap: beyond the core on each side, in px; a multiple of the stride.
    """
    columns, rows = (
        _spans(length, side, stride=stride, origin=start, overlap=overlap)
        for length, start in zip(image_size, origin, strict=True)
    )
    return [
        GridTile(
            Box(x.shown[0], y.shown[0], x.shown[1], y.shown[1]),
            Box(x.core[0], y.core[0], x.core[1], y.core[1]),
        )
        for y, x in product(rows, columns)
    ]


def check_tile(tile: Any) -> Tiling:
    """A tiling that was asked for, with Python's numbers.

    Raises:
        InvalidInput: it is none, or one of too small tiles.
    """
    if tile is None or tile == "auto":
        return tile
    if isinstance(tile, Integral) and not isinstance(tile, bool) and int(tile) >= SMALLEST_TILE:
        return int(tile)
    raise InvalidInput(
        f"tile must be 'auto', None, or a side of {SMALLEST_TILE} px or more, but is {tile!r}; "
        f"each tile shows {OVERLAP} px of its neighbors"
    )


class _Span(NamedTuple):
    shown: tuple[int, int]
    core: tuple[int, int]


def _spans(length: int, side: int, *, stride: int, origin: int, overlap: int) -> list[_Span]:
    """Tiles along one axis."""
    if length <= side:
        return [_Span((0, length), (0, length))]
    largest = (side - 2 * overlap) // stride * stride
    count = math.ceil(length / largest)
    step = math.ceil(length / count / stride) * stride
    cuts = [0, *range(origin + step, length, step), length]
    return [
        _Span((max(start - overlap, 0), min(end + overlap, length)), (start, end))
        for start, end in pairwise(cuts)
    ]
