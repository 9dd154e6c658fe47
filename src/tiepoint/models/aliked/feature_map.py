"""ALIKED's feature map, at the pixels that are asked for; and where a tile's pixels lie on its coarse levels.

Source: X. Zhao et al., ALIKED, arXiv 2304.03608.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.models.keypoints import (
    bilinear_corners,
    positions_of,
    rows_of,
    sample_bilinear,
    weighted_rows,
)
from tiepoint.models.tile import Tile

STRIDE = 32
"""Images are padded to multiples of this, the pixel size of the coarsest level."""

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


class Frame(NamedTuple):
    """How what the network is shown is padded, and where that lies in the whole image, padded likewise.

    Coarse levels are upsampled to the padded image with align_corners=True, that is, its pixel p looks at position
    p * (level size - 1) / (padded size - 1). Where a pixel looks thus depends on its place in the whole image.

    Attributes:
        origin: (left, top) of what is shown in its padded form, in px.
        size: (width, height) of what is shown, in px.
        padded_size: likewise with its padding.
        corner: (x, y) of the padded form in the padded whole image, in px.
        whole_size: (width, height) of the padded whole image, in px.
        image_size: (width, height) of the whole image, in px.
    """

    origin: tuple[int, int]
    size: tuple[int, int]
    padded_size: tuple[int, int]
    corner: tuple[int, int]
    whole_size: tuple[int, int]
    image_size: tuple[int, int]

    @classmethod
    def of(cls, images: Tensor, window: Tile | None) -> "Frame":
        """The frame of images (b, 3, h, w); None: they are whole."""
        left, top, image_size, *_ = window or Tile.whole(images)
        size = (images.shape[-1], images.shape[-2])
        places = (
            _along(*axis) for axis in zip((left, top), size, image_size, grid_origin(image_size), strict=True)
        )
        origin, padded_size, corner = zip(*places, strict=True)
        whole_size = tuple(side + -side % STRIDE for side in image_size)
        return cls(origin, size, padded_size, corner, whole_size, image_size)  # type: ignore[arg-type]

    def pad(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c H W"]:
        """Repeat the border of the image; a tile's other sides lie on the grid and stay as they are."""
        margins = []
        for before, side, padded in zip(self.origin, self.size, self.padded_size, strict=True):
            margins += [before, padded - side - before]
        return F.pad(images, margins, mode="replicate")

    def cut(self, maps: Float[Tensor, "*b H W"]) -> Float[Tensor, "*b h w"]:
        """The inverse of `pad`."""
        (left, top), (width, height) = self.origin, self.size
        return maps[..., top : top + height, left : left + width]

    def cells(self, box: tuple[int, int, int, int], *, shown: bool = False) -> tuple[slice, slice]:
        """The (rows, columns) that a box covers on the coarsest level.

        Args:
            box: (left, top, right, bottom) in px of the whole image, each on the grid or at the border.
            shown: count them on the level of what is shown, not of the whole image.
        """
        first = [corner // STRIDE if shown else 0 for corner in self.corner]
        origin = grid_origin(self.image_size)
        columns, rows = (
            slice((start - begin) // STRIDE - skip, -(-(end - begin) // STRIDE) - skip)
            for start, end, begin, skip in zip(box[:2], box[2:], origin, first, strict=True)
        )
        return rows, columns

    def cut_cells(self, level: Float[Tensor, "b c H W"]) -> Float[Tensor, "b c h w"]:
        """What is shown of the coarsest level of the whole image."""
        (left, top), (width, height) = (
            [side // STRIDE for side in sides] for sides in (self.corner, self.padded_size)
        )
        return level[..., top : top + height, left : left + width]

    def on_level(self, pixels: Tensor, level_size: tuple[int, int]) -> Float[Tensor, "*n 2"]:
        """Positions (x, y) on a coarse level of pixels (x, y) of the padded form.

        Args:
            pixels: (*n, 2).
            level_size: (width, height) of the level.
        """
        strides = [full // side for full, side in zip(self.padded_size, level_size, strict=True)]
        axes = list(zip(self.corner, self.whole_size, strides, strict=True))
        scale = [(whole // stride - 1) / (whole - 1) for _, whole, stride in axes]
        before = [corner / stride for corner, _, stride in axes]
        values = {"dtype": torch.float32, "device": pixels.device}
        corner = torch.tensor(self.corner, device=pixels.device)
        return (pixels + corner) * torch.tensor(scale, **values) - torch.tensor(before, **values)

    def upsample(self, level: Float[Tensor, "b c _h _w"]) -> Float[Tensor, "b c H W"]:
        """A coarse level at the size of the padded form."""
        width, height = self.padded_size
        if self.padded_size == self.whole_size:
            return F.interpolate(level, (height, width), mode="bilinear", align_corners=True)
        diagonal = torch.arange(max(self.padded_size), device=level.device)[:, None].expand(-1, 2)
        columns, rows = self.on_level(diagonal, (level.shape[-1], level.shape[-2])).unbind(dim=1)
        return _interpolate(_interpolate(level, rows[:height], dim=-2), columns[:width], dim=-1)


class FeatureMap:
    """The L2-normalized feature map of one image, evaluated only at the pixels asked for.

    Args:
        fine: the map of `block1` of the padded image.
        fine_weight: of the 1x1 convolution that makes the finest level from it.
        coarse: the other levels.
        frame: how the image lies in the padded image.
    """

    def __init__(
        self,
        fine: Float[Tensor, "c h w"],
        fine_weight: Float[Tensor, "d c 1 1"],
        coarse: list[Float[Tensor, "d _h _w"]],
        *,
        frame: Frame,
    ) -> None:
        self.frame = frame
        self._origin = torch.tensor(frame.origin, device=fine.device)
        self._fine = rows_of(fine)
        self._fine_weight = fine_weight.flatten(1)
        self._coarse = [(rows_of(level), (level.shape[2], level.shape[1])) for level in coarse]

    def at(self, indices: Int[Tensor, "n"]) -> Float[Tensor, "n d"]:
        """The unit vectors at pixels given by raster index."""
        return F.normalize(self._raw(indices), dim=1)

    def sample(self, positions: Float[Tensor, "n 2"]) -> Float[Tensor, "n d"]:
        """Bilinear sample of the unit vectors at (x, y) in px; zero outside of the image."""
        indices, weights = bilinear_corners(positions, *self.frame.size)
        vectors = self._raw(indices.flatten())
        norms = torch.linalg.vector_norm(vectors, dim=1).clamp_min(1e-12).view_as(weights)
        lines = torch.arange(len(vectors), device=vectors.device).view_as(indices)
        return weighted_rows(vectors, lines, weights / norms)

    def _raw(self, indices: Int[Tensor, "n"]) -> Float[Tensor, "n d"]:
        """Feature vectors before normalization."""
        pixels = positions_of(indices, self.frame.size[0]) + self._origin
        fine = self._fine[pixels[:, 1] * self.frame.padded_size[0] + pixels[:, 0]]
        parts = [selu(F.linear(fine, self._fine_weight))]
        for rows, size in self._coarse:
            parts.append(sample_bilinear(rows, self.frame.on_level(pixels, size), *size))
        return torch.cat(parts, dim=1)


def selu(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """SELU by exp(x) - 1 instead of expm1(x): off by one rounding of 1, and five times as fast on a CPU."""
    decay = values.clamp(max=0).exp_()
    return values.clamp(min=0).add_(decay, alpha=SELU_ALPHA).sub_(SELU_ALPHA).mul_(SELU_SCALE)


def grid_origin(image_size: tuple[int, int]) -> tuple[int, int]:
    """(x, y) in px of the padded image's corner: half of the padding is on the left and at the top."""
    width, height = image_size
    return -(-width % STRIDE // 2), -(-height % STRIDE // 2)


def _along(start: int, length: int, whole: int, origin: int) -> tuple[int, int, int]:
    """Along one axis: padding before what is shown, its length with padding, its place in the padded whole."""
    before = -origin if start == 0 else 0
    after = -whole % STRIDE + origin if start + length == whole else 0
    return before, before + length + after, start - origin - before


def _interpolate(maps: Tensor, positions: Float[Tensor, "n"], dim: int) -> Tensor:
    """Linear along one axis; positions beyond the border take its value."""
    last = maps.shape[dim] - 1
    positions = positions.clamp(0, last)
    lower = positions.long()
    fraction = (positions - lower).unsqueeze(1) if dim == -2 else positions - lower
    first, second = (maps.index_select(dim, index.clamp(max=last)) for index in (lower, lower + 1))
    return torch.lerp(first, second, fraction.to(maps.dtype))
