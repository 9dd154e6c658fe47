"""ALIKED's feature map, evaluated only at the pixels that are needed.

Source: X. Zhao et al., ALIKED, arXiv 2304.03608.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.models.aliked.padding import Padding
from tiepoint.models.keypoints import flatten_spatial, pixel_coordinates, weighted_row_sum
from tiepoint.models.precision import at_least_float32


class FeatureMap:
    """L2-normalized feature map of one image, evaluated only at the requested pixels.

    Args:
        fine: Output of `block1` for the padded image, shape (c, h, w).
        finest: Function from pixels of `fine`, shape (n, c), to the finest level, shape (n, d).
        coarse: Remaining levels, each of shape (d, h, w) at its own resolution.
        padding: Padding of the image.
    """

    def __init__(
        self,
        fine: Float[Tensor, "c h w"],
        finest: Callable[[Tensor], Tensor],
        coarse: list[Float[Tensor, "d _h _w"]],
        *,
        padding: Padding,
    ) -> None:
        self.padding = padding
        self._finest = finest
        self._fine = flatten_spatial(fine)
        self._coarse = [flatten_spatial(level) for level in coarse]
        self._level_sizes = [(level.shape[2], level.shape[1]) for level in coarse]
        self._tables: dict[int, tuple[WindowTable, list[WindowTable]]] = {}

    def at(self, indices: Int[Tensor, "n"]) -> Float[Tensor, "n d"]:
        """Return the unit vectors at pixels given by raster index."""
        columns, rows = pixel_coordinates(indices, self.padding.size[0]).unbind(dim=1)
        return self.windows(columns, rows, 1)[:, 0]

    def windows(self, columns: Int[Tensor, "n"], rows: Int[Tensor, "n"], side: int) -> Float[Tensor, "n k d"]:
        """Return the unit vectors of all pixels of square windows, row by row.

        Args:
            columns: Leftmost column of each window.
            rows: Topmost row of each window; windows may begin up to `side - 1` px outside the image, whose border
                is replicated.
            side: Side of the windows in px.
        """
        levels = self._levels(columns, rows, side)
        norms = _joint_norms(levels)[:, None]
        vectors = torch.cat([(level / norms).to(level.dtype) for level in levels], dim=1)
        return vectors.unflatten(0, (-1, side * side))

    def sample(self, positions: Float[Tensor, "n 2"]) -> Float[Tensor, "n d"]:
        """Sample the unit vectors bilinearly at positions (x, y) in px; zero outside the image."""
        (columns, column_weights), (rows, row_weights) = (
            _linear_window(axis, length) for axis, length in zip(positions.T, self.padding.size, strict=True)
        )
        levels = self._levels(columns, rows, 2)
        weights = torch.stack([row * column for row in row_weights for column in column_weights], dim=1)
        weights = weights / _joint_norms(levels).view_as(weights)
        pixels = torch.arange(weights.numel(), dtype=torch.int64, device=weights.device).view_as(weights)
        return torch.cat([weighted_row_sum(level, pixels, weights) for level in levels], dim=1)

    def _levels(self, columns: Tensor, rows: Tensor, side: int) -> list[Float[Tensor, "_n _d"]]:
        """Return all levels at all pixels of windows, not normalized."""
        if side not in self._tables:
            self._tables[side] = self._window_tables(side)
        fine_table, coarse_tables = self._tables[side]
        columns, rows = columns + side - 1, rows + side - 1
        pixels = fine_table.lookup(columns, rows)[0].flatten()
        levels = [self._finest(self._fine.index_select(0, pixels))]
        for level, table in zip(self._coarse, coarse_tables, strict=True):
            indices, weights = table.lookup(columns, rows)
            levels.append(weighted_row_sum(level, indices.view(-1, 4), weights.view(-1, 4)))
        return levels

    def _window_tables(self, side: int) -> tuple["WindowTable", list["WindowTable"]]:
        (width, height), (left, top) = self.padding.size, self.padding.margin
        device = self._fine.device
        columns, rows = _window_pixels(width, side, device) + left, _window_pixels(height, side, device) + top
        ones = torch.ones(1, dtype=torch.float32, device=device)
        fine = WindowTable.build(
            (columns[..., None], ones.expand(*columns.shape, 1)),
            (rows[..., None], ones.expand(*rows.shape, 1)),
            self.padding.padded_size[0],
        )
        return fine, [
            WindowTable.build(
                tuple(taps[columns] for taps in self.padding.level_taps(0, level_width, device)),
                tuple(taps[rows] for taps in self.padding.level_taps(1, level_height, device)),
                level_width,
            )
            for level_width, level_height in self._level_sizes
        ]


class WindowTable(NamedTuple):
    """Samples of a level that each pixel of a window is interpolated from, split into a row and a column part.

    The indices of all samples of a window are the sum of two rows of tables, and their weights the product: this is
    faster than computing them for each window.

    Attributes:
        column_indices: Columns of the level, shape (width, k * samples).
        column_weights: Weights along the row, shape (width, k * samples).
        row_indices: Indices of the first pixels of rows of the level, shape (height, k * samples).
        row_weights: Weights along the column, shape (height, k * samples).
    """

    column_indices: Int[Tensor, "w m"]
    column_weights: Float[Tensor, "w m"]
    row_indices: Int[Tensor, "h m"]
    row_weights: Float[Tensor, "h m"]

    @classmethod
    def build(cls, columns: tuple[Tensor, ...], rows: tuple[Tensor, ...], level_width: int) -> "WindowTable":
        """Build the table.

        Args:
            columns: Columns of the level and weights, for each pixel of each window, both of shape (width, side, t).
            rows: Rows of the level and weights, both of shape (height, side, t).
            level_width: Width of the level.
        """
        side, taps = columns[0].shape[1:]
        shape = (-1, side, side, taps, taps)
        row_indices, row_weights = rows
        return cls(
            *(part[:, None, :, None, :].expand(shape).flatten(1) for part in columns),
            *(
                part[:, :, None, :, None].expand(shape).flatten(1)
                for part in (row_indices * level_width, row_weights)
            ),
        )

    def lookup(self, columns: Int[Tensor, "n"], rows: Int[Tensor, "n"]) -> tuple[Tensor, Tensor]:
        """Return the indices of all samples of windows in the level, and their weights, both of shape (n, m)."""
        indices = self.column_indices.index_select(0, columns) + self.row_indices.index_select(0, rows)
        weights = self.column_weights.index_select(0, columns) * self.row_weights.index_select(0, rows)
        return indices, weights


def _joint_norms(levels: list[Float[Tensor, "n _d"]]) -> Float[Tensor, "n"]:
    """Return the norms of the concatenation of all levels, in float32 or better."""
    norms = [torch.linalg.vector_norm(at_least_float32(level), dim=1) for level in levels]
    return torch.linalg.vector_norm(torch.stack(norms), dim=0).clamp_min(1e-12)


def _linear_window(positions: Float[Tensor, "n"], length: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Return the first of the two pixels around each position, and the weights of both; zero outside the image."""
    first = positions.floor()
    fraction = positions - first
    is_first_inside, is_second_inside = ((first >= -step) & (first < length - step) for step in (0, 1))
    weights = (1 - fraction) * is_first_inside, fraction * is_second_inside
    return first.long().clamp(-1, length - 1), weights


def _window_pixels(length: int, side: int, device: torch.device) -> Int[Tensor, "n side"]:
    """Return the pixels of all windows along an axis, from the one that ends at 0 to the one that begins at the end."""
    first = torch.arange(1 - side, length, dtype=torch.int64, device=device)
    steps = torch.arange(side, dtype=torch.int64, device=device)
    return (first[:, None] + steps).clamp(0, length - 1)
