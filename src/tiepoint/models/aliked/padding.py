"""Padding of images and tiles to the stride of the coarsest level, and the positions of the levels' pixels.

Source: X. Zhao et al., ALIKED, arXiv 2304.03608.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.models.padding import replicate_pad
from tiepoint.models.tile import Tile

STRIDE = 32
"""Stride of the coarsest level in px; images are padded to multiples of it."""


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
        padded_image_size = tuple(side + _missing(side) for side in image_size)
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
        return maps.narrow(-2, top, height).narrow(-1, left, width)

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

    def level_taps(
        self, axis: int, level_length: int, device: torch.device
    ) -> tuple[Int[Tensor, "n 2"], Float[Tensor, "n 2"]]:
        """Return the two samples of a coarse level between which each pixel of the padded crop is interpolated.

        Args:
            axis: 0 for columns, 1 for rows.
            level_length: Side of the crop's level along this axis.
            device: Device of the result.

        Returns:
            Indices into the level and weights, both of shape (n, 2); beyond the level its border is replicated.
        """
        length, start = self.padded_size[axis], self.offset[axis]
        full = self.padded_image_size[axis]
        stride = length // level_length
        pixels = torch.arange(length, dtype=torch.int64, device=device)
        last = torch.tensor([full // stride - 1, full - 1], dtype=torch.float64, device="cpu")
        positions = (pixels + start) * (last[0] / last[1]).to(device, torch.float32)
        if start:  # in graphs, which contain whole images, no number depends on the sizes
            positions = positions - start / stride
        positions = positions.clamp(0, level_length - 1)
        lower = positions.long().clamp(max=max(level_length - 2, 0))
        fraction = positions - lower
        indices = torch.stack([lower, (lower + 1).clamp(max=level_length - 1)], dim=1)
        return indices, torch.stack([1 - fraction, fraction], dim=1)


def grid_origin(image_size: tuple[int, int]) -> tuple[int, int]:
    """Return the top-left corner (x, y) of the padded image in px: half of the padding is left and top."""
    width, height = image_size
    return _origin(width), _origin(height)


def _origin(length: int) -> int:
    """Return minus half of the missing px, rounded down; only positive numbers are divided, as ONNX rounds to zero."""
    return (length + 1) // 2 - (length + _missing(length)) // 2


def _missing(length: int) -> int:
    """Return the number of px up to the next multiple of the stride."""
    return (length + STRIDE - 1) // STRIDE * STRIDE - length  # torch.export cannot trace -length % STRIDE


def _pad_axis(start: int, length: int, image_length: int, origin: int) -> tuple[int, int, int]:
    """Return the padding before the crop, its padded length, and its offset in the padded image, along one axis."""
    before = -origin if start == 0 else 0
    after = _missing(image_length) + origin if start + length == image_length else 0
    return before, before + length + after, start - origin - before
