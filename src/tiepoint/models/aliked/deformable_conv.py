"""Deformable 3x3 convolution without modulation: each kernel tap samples at a learned offset."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tiepoint.models.keypoints import flatten_spatial, pixel_coordinates, sample_bilinear
from tiepoint.models.precision import at_least_float32


class DeformableConv2d(nn.Module):
    """A 3x3 convolution whose nine taps are shifted by offsets predicted by another 3x3 convolution.

    Offsets are limited to a quarter of the longer side of the map.

    Source: Deformable ConvNets (arXiv 1703.06211), as in ALIKED (arXiv 2304.03608).
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.offset_conv = nn.Conv2d(channels_in, 18, kernel_size=3, padding=1)
        self.regular_conv = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Convolve maps of shape (b, c, h, w) to shape (b, d, h, w)."""
        limit = max(maps.shape[-2:]) / 4
        offsets = at_least_float32(self.offset_conv(maps)).clamp(-limit, limit)
        return deformable_conv2d(maps, offsets, self.regular_conv.weight)


def deformable_conv2d(
    maps: Float[Tensor, "b c h w"], offsets: Float[Tensor, "b 18 h w"], weight: Float[Tensor, "d c 3 3"]
) -> Float[Tensor, "b d h w"]:
    """Sample nine positions per pixel, then multiply by the kernel: one gather and one matrix product.

    Args:
        maps: Input maps, shape (b, c, h, w); zero outside.
        offsets: Offsets in px, shape (b, 18, h, w); (y, x) of the nine taps in raster order, as in torchvision.
        weight: Kernel, shape (d, c, 3, 3).

    Returns:
        Output maps, shape (b, d, h, w).
    """
    height, width = maps.shape[-2:]
    taps = _tap_positions(offsets)
    kernel = weight.permute(2, 3, 1, 0).flatten(0, 2)
    columns = [_sample(image, positions) for image, positions in zip(maps, taps, strict=True)]
    products = [column.view(height * width, -1) @ kernel for column in columns]
    return torch.stack(products).view(len(maps), height, width, -1).permute(0, 3, 1, 2)


def _sample(image: Float[Tensor, "c h w"], positions: Float[Tensor, "n 2"]) -> Float[Tensor, "n c"]:
    height, width = image.shape[-2:]
    return sample_bilinear(flatten_spatial(image), positions, width, height)


def _tap_positions(offsets: Float[Tensor, "b 18 h w"]) -> Float[Tensor, "b n 2"]:
    """Return the position (x, y) of every tap of every pixel; the taps of one pixel are consecutive."""
    batch, _, height, width = offsets.shape
    pixels = pixel_coordinates(torch.arange(height * width, dtype=torch.int64, device=offsets.device), width)
    steps = torch.arange(-1, 2, dtype=torch.int64, device=offsets.device)
    kernel = torch.cartesian_prod(steps, steps).flip(1)
    shifts = offsets.view(batch, 9, 2, height * width).permute(0, 3, 1, 2).flip(-1)
    return (pixels[:, None] + kernel + shifts).flatten(1, 2)
