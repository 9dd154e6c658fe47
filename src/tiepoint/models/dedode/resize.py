"""Resizing of images to the size at which they are described, as matrix products: of whole images, and tile by tile.

A bilinear resize with antialiasing is linear in each direction, so the resized image is a sum over tiles, without the
whole image in memory.
"""

from typing import NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor

from tiepoint.models.tile import Tile


class ResizeMatrices(NamedTuple):
    """Matrices of a resize.

    Attributes:
        rows: Weights of the input rows, shape (h, H).
        columns: Weights of the input columns, shape (w, W).
    """

    rows: Float[Tensor, "h H"]
    columns: Float[Tensor, "w W"]

    @classmethod
    def build(
        cls, image_size: tuple[int, int], size: tuple[int, int], device: torch.device
    ) -> "ResizeMatrices":
        """Build the matrices of a resize between two sizes (width, height) in px."""
        columns, rows = (triangle_filter(*sides, device) for sides in zip(image_size, size, strict=True))
        return cls(rows, columns)

    def apply(self, images: Float[Tensor, "b c H W"]) -> Float[Tensor, "b c h w"]:
        """Resize images."""
        return self.rows @ images @ self.columns.T

    def of_part(self, crop: Float[Tensor, "b c _h _w"], tile: Tile) -> Float[Tensor, "b c h w"]:
        """Return what the core of a tile adds to the resized image.

        Args:
            crop: Crop of the image, shape (b, c, h, w).
            tile: Position of the crop.
        """
        left, top, right, bottom = tile.core
        core = crop[..., top - tile.top : bottom - tile.top, left - tile.left : right - tile.left]
        return ResizeMatrices(self.rows[:, top:bottom], self.columns[:, left:right]).apply(core)


def resize(images: Float[Tensor, "b c H W"], size: tuple[int, int]) -> Float[Tensor, "b c h w"]:
    """Resize images, bilinear with antialiasing: as `torch.nn.functional.interpolate` with `antialias=True`.

    Args:
        images: Images, shape (b, c, H, W).
        size: Size (width, height) of the result in px.
    """
    height, width = images.shape[-2:]
    return ResizeMatrices.build((width, height), size, images.device).apply(images.float())


def triangle_filter(length: int, resized: int, device: torch.device) -> Float[Tensor, "m n"]:
    """Return the weights of `length` samples in `resized` ones, shape (resized, length); rows sum to 1."""
    centers = (torch.arange(resized, dtype=torch.float32, device=device) + 0.5) * (length / resized) - 0.5
    samples = torch.arange(length, dtype=torch.float32, device=device)
    width = cast(float, torch.sym_max(length / resized, 1.0))  # in graphs, sizes are symbols
    weights = (1 - (samples - centers[:, None]).abs() / width).clamp(min=0)
    return weights / weights.sum(dim=1, keepdim=True)
