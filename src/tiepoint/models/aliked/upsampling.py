"""Bilinear upsampling of ALIKED's coarse levels, with their sum, in chunks of rows.

Source: X. Zhao et al., ALIKED, arXiv 2304.03608.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tiepoint.models.aliked.padding import Padding
from tiepoint.models.keypoints import weighted_row_sum
from tiepoint.models.row_chunks import Rows


class Upsampler:
    """The sum of coarse levels, upsampled to the padded crop with align_corners=True.

    Columns are interpolated at the height of each level, rows when they are requested. A row of the result is a
    weighted sum of two rows per level.

    Args:
        levels: Levels of shape (b, c, h, w), each at its own resolution.
        padding: Padding of the images.
    """

    def __init__(self, levels: list[Float[Tensor, "b c _h _w"]], padding: Padding) -> None:
        self._values = torch.cat([_upsample_columns(level, padding) for level in levels], dim=1)
        self._channels = levels[0].shape[1]
        indices, weights, first = [], [], 0
        for level in levels:
            taps, tap_weights = padding.level_taps(1, level.shape[2], level.device)
            indices.append(taps + first)
            weights.append(tap_weights)
            first += level.shape[2]
        self._indices, self._weights = torch.cat(indices, dim=1), torch.cat(weights, dim=1)

    def rows(self, rows: Rows) -> Float[Tensor, "b c h w"]:
        """Return rows of the sum, in channels-last format."""
        batch, height, _ = self._values.shape
        indices, weights = (table[rows.top : rows.bottom] for table in (self._indices, self._weights))
        first = torch.arange(batch, dtype=torch.int64, device=indices.device) * height
        indices = (first[:, None, None] + indices).flatten(0, 1)
        upsampled = weighted_row_sum(self._values.flatten(0, 1), indices, weights.repeat(batch, 1))
        return upsampled.view(batch, weights.shape[0], -1, self._channels).permute(0, 3, 1, 2)


def sum_interpolated(levels: list[Float[Tensor, "b c _h _w"]], shape: torch.Size) -> Float[Tensor, "b c H W"]:
    """Compute the sum of `Upsampler` for whole images with torch's own interpolation, which graphs support.

    Args:
        levels: Levels of shape (b, c, h, w), each at its own resolution.
        shape: Shape (H, W) of the result.
    """
    first, *others = (F.interpolate(level, shape, mode="bilinear", align_corners=True) for level in levels)
    return sum(others, start=first)


def _upsample_columns(level: Float[Tensor, "b c h w"], padding: Padding) -> Float[Tensor, "b h wc"]:
    """Return the columns of the padded crop, at the level's height, with the channels of a pixel side by side."""
    batch, channels, height, width = level.shape
    columns = level.permute(3, 0, 2, 1).reshape(width, -1)
    upsampled = weighted_row_sum(columns, *padding.level_taps(0, width, level.device))
    return upsampled.view(-1, batch, height, channels).permute(1, 2, 0, 3).reshape(batch, height, -1)
