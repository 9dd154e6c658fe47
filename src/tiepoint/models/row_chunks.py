"""Run a chain of convolutions over horizontal strips: the same numbers, a fraction of the memory and time.

Full-size maps of a photograph are tens of megabytes each; on a CPU most of the time goes into fetching and
releasing them. A strip of a few rows stays in the cache from one layer to the next.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

STRIP_PIXELS = 1 << 15
"""Pixels of one strip: at 16 to 64 channels of float32, some megabytes, the size of a core's cache."""


def in_strips(
    function: Callable[..., Tensor], *maps: Float[Tensor, "b _c _h _w"], halo: int
) -> Float[Tensor, "b d H W"]:
    """`function(*maps)`, computed strip by strip along the height.

    Args:
        function: each row of what it returns depends only on rows near it. Zero padding at the border of the
            map is fine, statistics over the whole map are not.
        maps: what `function` takes; their heights, and that of the result, are multiples of the first one's.
        halo: rows of the first map that each strip sees beyond its own on both sides; a 3x3 convolution at
            that size needs one.
    """
    height = maps[0].shape[-2]
    pixels_per_row = max(one.shape[-2] * one.shape[-1] for one in maps) // height
    rows = max(STRIP_PIXELS // pixels_per_row, 2 * halo, 1)
    strips = [_strip(function, maps, top, min(top + rows, height), halo) for top in range(0, height, rows)]
    return strips[0] if len(strips) == 1 else torch.cat(strips, dim=-2)


def _strip(
    function: Callable[..., Tensor], maps: tuple[Tensor, ...], top: int, bottom: int, halo: int
) -> Tensor:
    # rows near a cut see a border where the map goes on: they lie in the halo and are thrown away
    height = maps[0].shape[-2]
    first, last = max(top - halo, 0), min(bottom + halo, height)
    result = function(*(_cut(one, first, last, height) for one in maps))
    return _cut(result, top - first, bottom - first, last - first)


def _cut(one: Tensor, first: int, last: int, height: int) -> Tensor:
    """Rows first to last of a map, counted as if it had the given height."""
    scale = one.shape[-2] // height
    return one[..., first * scale : last * scale, :]
