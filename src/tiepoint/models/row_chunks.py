"""Convolutions in chunks of rows: the same results in a fraction of the memory and time.

Full-size feature maps take tens of megabytes each; on a CPU most of the time is spent on allocating and reading
them. A chunk of a few rows stays in the cache from one layer to the next.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from tiepoint.models.memory import empty_map
from tiepoint.models.tracing import is_tracing

CHUNK_PIXELS = 1 << 15
"""Pixels per chunk; with 16 to 64 float32 channels a few megabytes, the size of a core's cache."""


class Rows(NamedTuple):
    """A range of rows of a map.

    Attributes:
        top: First row.
        bottom: Row after the last one.
        height: Height of the map.
    """

    top: int
    bottom: int
    height: int

    def grow(self, halo: int) -> "Rows":
        """Add `halo` rows above and below, inside the map."""
        return Rows(max(self.top - halo, 0), min(self.bottom + halo, self.height), self.height)

    def of(self, maps: Float[Tensor, "*b w"], *, inside: "Rows | None" = None) -> Float[Tensor, "*d w"]:
        """Return the rows of a map as a view.

        Args:
            maps: Map of shape (…, h, w); its height may be a multiple or a fraction of that of the rows.
            inside: Rows that the map consists of; None means all rows.
        """
        first, last = (0, self.height) if inside is None else inside[:2]
        height = maps.shape[-2]
        top, bottom = ((row - first) * height // (last - first) for row in self[:2])
        return maps.narrow(-2, top, bottom - top)


def row_chunks(
    maps: Float[Tensor, "b c h w"], *, multiple: int = 1, min_rows: int = 1, size: float = 1
) -> Iterator[Rows]:
    """Yield the rows of all chunks of a map, from top to bottom.

    Args:
        maps: Map whose pixels are counted.
        multiple: Number of which the first row of each chunk is a multiple.
        min_rows: Minimum number of rows per chunk, but for the last one.
        size: Size of a chunk as a multiple of `CHUNK_PIXELS`.
    """
    height, width = maps.shape[-2:]
    if is_tracing():  # the number of chunks would be fixed
        yield Rows(0, height, height)
        return
    rows = max(int(size * CHUNK_PIXELS) // (len(maps) * width), min_rows, 1)
    rows = -(-rows // multiple) * multiple
    for top in range(0, height, rows):
        yield Rows(top, min(top + rows, height), height)


def conv_in_row_chunks(
    function: Callable[..., Tensor], *maps: Float[Tensor, "b _c _h _w"], halo: int
) -> Float[Tensor, "b d H W"]:
    """Compute `function(*maps)` chunk by chunk along the height.

    Args:
        function: Function in which each output row depends only on nearby input rows. Zero padding at the border
            is allowed; statistics over the whole map are not.
        maps: Inputs of `function`, each of shape (b, c, h, w); their heights, and that of the output, are
            multiples of the height of the first one.
        halo: Rows of the first map that each chunk adds above and below; a 3x3 convolution at its resolution needs
            one.
    """
    largest = max(maps, key=lambda one: one.shape[-2] * one.shape[-1])
    scale = largest.shape[-2] // maps[0].shape[-2]
    return join_rows(_run_chunks(function, maps, halo, largest, scale))


def join_rows(chunks: Iterator[tuple[Rows, Float[Tensor, "b c _h w"]]]) -> Float[Tensor, "b c h w"]:
    """Join the rows of a map; without gradients each chunk is copied to its place as soon as it is computed.

    Args:
        chunks: Rows and their part of the map, from top to bottom, all of the same number of rows but the last one.
    """
    if torch.is_grad_enabled() or is_tracing():
        return torch.cat([chunk for _, chunk in chunks], dim=-2)
    rows, chunk = next(chunks)
    batch, channels, chunk_height, width = chunk.shape
    height = chunk_height * rows.height // (rows.bottom - rows.top)
    output = empty_map((batch, channels, height, width), like=chunk)
    rows.of(output).copy_(chunk)
    for rows, chunk in chunks:
        rows.of(output).copy_(chunk)
    return output


def _run_chunks(
    function: Callable[..., Tensor], maps: tuple[Tensor, ...], halo: int, largest: Tensor, scale: int
) -> Iterator[tuple[Rows, Tensor]]:
    for rows in row_chunks(largest, multiple=scale, min_rows=2 * halo * scale):
        rows = Rows(*(row // scale for row in rows))
        around = rows.grow(halo)
        # output rows near a cut are wrong because the input was padded there; they are in the halo and are dropped
        yield rows, rows.of(function(*(around.of(one) for one in maps)), inside=around)
