"""Deformable 3x3 convolution without mask: every tap of the kernel looks where a learned offset points."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tiepoint.models.keypoints import positions_of, rows_of, sample_bilinear


class DeformableConv2d(nn.Module):
    """A 3x3 convolution whose nine taps are moved by offsets that an ordinary 3x3 convolution predicts.

    Offsets reach at most a quarter of the map's longer side.

    Source: Deformable ConvNets (arXiv 1703.06211), as in ALIKED (arXiv 2304.03608).
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.offset_conv = nn.Conv2d(channels_in, 18, kernel_size=3, padding=1)
        self.regular_conv = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        limit = max(maps.shape[-2:]) / 4
        offsets = self.offset_conv(maps).clamp(-limit, limit)
        return deformable_conv2d(maps, offsets, self.regular_conv.weight)


def deformable_conv2d(
    maps: Float[Tensor, "b c h w"], offsets: Float[Tensor, "b 18 h w"], weight: Float[Tensor, "d c 3 3"]
) -> Float[Tensor, "b d h w"]:
    """Sample nine positions around every pixel, then multiply by the kernel: one gather, one matrix product.

    Args:
        maps: the input; zero outside.
        offsets: in px, (y, x) for each of the nine taps in raster order, as torchvision orders them.
        weight: the kernel.
    """
    height, width = maps.shape[-2:]
    taps = _tap_positions(offsets)
    kernel = weight.permute(2, 3, 1, 0).flatten(0, 2)
    columns = [_sample(image, positions) for image, positions in zip(maps, taps, strict=True)]
    products = [column.view(height * width, -1) @ kernel for column in columns]
    return torch.stack(products).view(len(maps), height, width, -1).permute(0, 3, 1, 2)


def _sample(image: Float[Tensor, "c h w"], positions: Float[Tensor, "n 2"]) -> Float[Tensor, "n c"]:
    height, width = image.shape[-2:]
    return sample_bilinear(rows_of(image), positions, width, height)


def _tap_positions(offsets: Float[Tensor, "b 18 h w"]) -> Float[Tensor, "b n 2"]:
    """(x, y) of every tap of every pixel, taps of one pixel side by side."""
    batch, _, height, width = offsets.shape
    pixels = positions_of(torch.arange(height * width, device=offsets.device), width)
    steps = torch.arange(-1, 2, device=offsets.device)
    kernel = torch.cartesian_prod(steps, steps).flip(1)
    moves = offsets.view(batch, 9, 2, height * width).permute(0, 3, 1, 2).flip(-1)
    return (pixels[:, None] + kernel + moves).flatten(1, 2)
