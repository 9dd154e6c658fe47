"""ALIKED's feature map, evaluated only at the pixels that are needed, and its geometry in padded images and tiles.

Source: X. Zhao et al., ALIKED, arXiv 2304.03608.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.models.keypoints import (
    bilinear_corners,
    flatten_spatial,
    pixel_coordinates,
    sample_bilinear,
    weighted_row_sum,
)
from tiepoint.models.padding import replicate_pad
from tiepoint.models.precision import at_least_float32, normalize_rows
from tiepoint.models.tile import Tile

STRIDE = 32
"""Stride of the coarsest level in px; images are padded to multiples of it."""

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


class Padding(NamedTuple):
    """Padding of a crop, and the position of the padded crop in the padded whole image.

    Coarse levels are upsampled to the padded image with align_corners=True: padded pixel p samples the level at
    p * (level size - 1) / (padded size - 1). The sampling positions of a crop thus depend on its position in the
    whole image. A whole image is a crop of itself.

    Attributes:
        margin: Padding (left, top) of the crop in px.
        size: Size (width, height) of the crop in px.
        padded_size: Size (width, height) of the padded crop in px.
        offset: Position (x, y) of the padded crop in the padded whole image, in px.
        padded_image_size: Size (width, height) of the padded whole image in px.
        image_size: Size (width, height) of the whole image in px.
    """

    margin: tuple[int, int]
    size: tuple[int, int]
    padded_size: tuple[int, int]
    offset: tuple[int, int]
    padded_image_size: tuple[int, int]
    image_size: tuple[int, int]

    @classmethod
    def for_images(cls, images: Tensor, tile: Tile | None) -> "Padding":
        """Return the padding of images of shape (b, c, h, w); `tile` None means whole images."""
        left, top, image_size, *_ = tile or Tile.whole(images)
        size = (images.shape[-1], images.shape[-2])
        axes = zip((left, top), size, image_size, grid_origin(image_size), strict=True)
        margin, padded_size, offset = zip(*(_pad_axis(*axis) for axis in axes), strict=True)
        padded_image_size = tuple(side + -side % STRIDE for side in image_size)
        return cls(margin, size, padded_size, offset, padded_image_size, image_size)  # type: ignore[arg-type]

    def pad(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c H W"]:
        """Replicate the border of the image; sides of a tile inside the image are on the grid and not padded."""
        margins = []
        for before, side, padded in zip(self.margin, self.size, self.padded_size, strict=True):
            margins += [before, padded - side - before]
        return replicate_pad(images, margins)

    def unpad(self, maps: Float[Tensor, "*b H W"]) -> Float[Tensor, "*b h w"]:
        """Remove the padding; the inverse of `pad`."""
        (left, top), (width, height) = self.margin, self.size
        return maps[..., top : top + height, left : left + width]

    def grid_slices(self, box: tuple[int, int, int, int], *, in_crop: bool = False) -> tuple[slice, slice]:
        """Return the slices (rows, columns) of the coarsest level that a box covers.

        Args:
            box: Box (left, top, right, bottom) in px of the whole image; each side on the grid or at the border.
            in_crop: Index the level of the crop instead of that of the whole image.
        """
        skipped = [start // STRIDE if in_crop else 0 for start in self.offset]
        origin = grid_origin(self.image_size)
        columns, rows = (
            slice((start - begin) // STRIDE - skip, -(-(end - begin) // STRIDE) - skip)
            for start, end, begin, skip in zip(box[:2], box[2:], origin, skipped, strict=True)
        )
        return rows, columns

    def crop_grid(self, level: Float[Tensor, "b c H W"]) -> Float[Tensor, "b c h w"]:
        """Return the part of the whole image's coarsest level that belongs to the crop."""
        (left, top), (width, height) = (
            [side // STRIDE for side in sides] for sides in (self.offset, self.padded_size)
        )
        return level[..., top : top + height, left : left + width]

    def level_coordinates(self, pixels: Tensor, level_size: tuple[int, int]) -> Float[Tensor, "*n 2"]:
        """Map pixels of the padded crop to a coarse level.

        Args:
            pixels: Pixels (x, y), shape (…, 2).
            level_size: Size (width, height) of the level.

        Returns:
            Positions (x, y) on the level, shape (…, 2).
        """
        strides = [full // side for full, side in zip(self.padded_size, level_size, strict=True)]
        axes = list(zip(self.offset, self.padded_image_size, strides, strict=True))
        scale, before = (
            torch.tensor(values, dtype=torch.float32, device=pixels.device)
            for values in zip(
                *(((length // stride - 1) / (length - 1), start / stride) for start, length, stride in axes),
                strict=True,
            )
        )
        offset = torch.tensor(self.offset, dtype=torch.int64, device=pixels.device)
        return (pixels + offset) * scale - before

    def upsample(self, level: Float[Tensor, "b c _h _w"]) -> Float[Tensor, "b c H W"]:
        """Upsample a coarse level to the size of the padded crop."""
        width, height = self.padded_size
        if self.padded_size == self.padded_image_size:
            return F.interpolate(level, (height, width), mode="bilinear", align_corners=True)
        diagonal = torch.arange(max(self.padded_size), dtype=torch.int64, device=level.device)[:, None]
        columns, rows = self.level_coordinates(
            diagonal.expand(-1, 2), (level.shape[-1], level.shape[-2])
        ).unbind(dim=1)
        return _interpolate(_interpolate(level, rows[:height], dim=-2), columns[:width], dim=-1)


class FeatureMap:
    """L2-normalized feature map of one image, evaluated only at the requested pixels.

    Args:
        fine: Output of `block1` for the padded image, shape (c, h, w).
        fine_weight: Weights of the 1x1 convolution that maps it to the finest level, shape (d, c, 1, 1).
        coarse: Remaining levels, each of shape (d, h, w) at its own resolution.
        padding: Padding of the image.
    """

    def __init__(
        self,
        fine: Float[Tensor, "c h w"],
        fine_weight: Float[Tensor, "d c 1 1"],
        coarse: list[Float[Tensor, "d _h _w"]],
        *,
        padding: Padding,
    ) -> None:
        self.padding = padding
        self._margin = torch.tensor(padding.margin, dtype=torch.int64, device=fine.device)
        self._fine = flatten_spatial(fine)
        self._fine_weight = fine_weight.flatten(1)
        self._coarse = [(flatten_spatial(level), (level.shape[2], level.shape[1])) for level in coarse]

    def at(self, indices: Int[Tensor, "n"]) -> Float[Tensor, "n d"]:
        """Return the unit vectors at pixels given by raster index."""
        vectors = self._unnormalized(indices)
        return normalize_rows(vectors).to(vectors.dtype)

    def sample(self, positions: Float[Tensor, "n 2"]) -> Float[Tensor, "n d"]:
        """Sample the unit vectors bilinearly at positions (x, y) in px; zero outside the image."""
        indices, weights = bilinear_corners(positions, *self.padding.size)
        vectors = self._unnormalized(indices.flatten())
        norms = torch.linalg.vector_norm(at_least_float32(vectors), dim=1).clamp_min(1e-12).view_as(weights)
        rows = torch.arange(len(vectors), dtype=torch.int64, device=vectors.device).view_as(indices)
        return weighted_row_sum(vectors, rows, weights / norms)

    def _unnormalized(self, indices: Int[Tensor, "n"]) -> Float[Tensor, "n d"]:
        pixels = pixel_coordinates(indices, self.padding.size[0]) + self._margin
        fine = self._fine[pixels[:, 1] * self.padding.padded_size[0] + pixels[:, 0]]
        parts = [selu(F.linear(fine, self._fine_weight))]
        for rows, size in self._coarse:
            parts.append(sample_bilinear(rows, self.padding.level_coordinates(pixels, size), *size))
        return torch.cat(parts, dim=1)


def selu(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """SELU with exp(x) - 1 instead of expm1(x): differs by one rounding error of 1, five times as fast on a CPU."""
    decay = values.clamp(max=0).exp_()
    return values.clamp(min=0).add_(decay, alpha=SELU_ALPHA).sub_(SELU_ALPHA).mul_(SELU_SCALE)


def grid_origin(image_size: tuple[int, int]) -> tuple[int, int]:
    """Return the top-left corner (x, y) of the padded image in px: half of the padding is left and top."""
    width, height = image_size
    return -(-width % STRIDE // 2), -(-height % STRIDE // 2)


def _pad_axis(start: int, length: int, image_length: int, origin: int) -> tuple[int, int, int]:
    """Return the padding before the crop, its padded length, and its offset in the padded image, along one axis."""
    before = -origin if start == 0 else 0
    after = -image_length % STRIDE + origin if start + length == image_length else 0
    return before, before + length + after, start - origin - before


def _interpolate(maps: Tensor, positions: Float[Tensor, "n"], dim: int) -> Tensor:
    """Interpolate linearly along one axis; positions outside are clamped to the border."""
    last = maps.shape[dim] - 1
    positions = positions.clamp(0, last)
    lower = positions.long()
    fraction = (positions - lower).unsqueeze(1) if dim == -2 else positions - lower
    first, second = (maps.index_select(dim, index.clamp(max=last)) for index in (lower, lower + 1))
    return torch.lerp(first, second, fraction.to(maps.dtype))
