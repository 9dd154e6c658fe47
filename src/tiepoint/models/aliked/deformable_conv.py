"""Deformable 3x3 convolution without modulation: each kernel tap samples at a learned offset."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tiepoint.models.keypoints import bilinear_corners, flatten_spatial, weighted_row_sum
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
        return deformable_conv2d(maps, limit_offsets(self.offset_conv(maps)), self.regular_conv.weight)


def limit_offsets(offsets: Float[Tensor, "b 18 h w"]) -> Float[Tensor, "b 18 h w"]:
    """Limit offsets to a quarter of the longer side of the map, in float32 or better."""
    limit = max(offsets.shape[-2:]) / 4
    return at_least_float32(offsets).clamp(-limit, limit)


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
    kernel = weight.permute(2, 3, 1, 0).flatten(0, 2)
    products = [columns @ kernel for columns in sample_taps(maps, offsets)]
    return torch.stack(products).unflatten(1, maps.shape[-2:]).permute(0, 3, 1, 2)


def sample_taps(
    maps: Float[Tensor, "b c h w"], offsets: Float[Tensor, "b 18 h w"]
) -> Iterator[Float[Tensor, "_n _k"]]:
    """Yield the samples of the nine taps of all pixels, one image after the other.

    Args:
        maps: Input maps, shape (b, c, h, w); zero outside.
        offsets: Offsets in px, shape (b, 18, h, w); (y, x) of the nine taps in raster order.
    """
    height, width = maps.shape[-2:]
    for image, y, x in zip(maps, *_tap_positions(offsets), strict=True):
        samples = weighted_row_sum(flatten_spatial(image), *bilinear_corners(x, y, width, height))
        yield samples.view(height * width, -1)


def _tap_positions(offsets: Float[Tensor, "b 18 h w"]) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n"]]:
    """Return the rows and columns of every tap of every pixel; the taps of one pixel are consecutive."""
    _, _, height, width = offsets.shape
    shifts = offsets.permute(0, 2, 3, 1).unflatten(-1, (9, 2))
    steps = torch.arange(-1, 2, dtype=torch.int64, device=offsets.device)
    rows, columns = (torch.arange(side, dtype=torch.int64, device=offsets.device) for side in (height, width))
    y = shifts[..., 0] + (rows[:, None] + steps.repeat_interleave(3))[:, None]
    x = shifts[..., 1] + (columns[:, None] + steps.repeat(3))
    return y.flatten(1), x.flatten(1)
