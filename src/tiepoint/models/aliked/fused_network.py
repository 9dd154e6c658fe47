"""ALIKED rewritten for inference: the same function in fewer and faster operations.

`fuse` replaces the layers of `network.ALIKED`; the steps of detection and description stay as they are:

- Batch norms are multiplied into the convolutions, and so are the scales of the activation, whose exponential function
  has base 2 (`activation.scaled_selu_`). All levels of the feature map have the same scale, which its normalization
  cancels.
- The levels at full and half size are computed in chunks of rows that stay in the cache, and written where they belong.
- The convolutions of the score head have 8 and 4 channels, less than a vector register: several pixels of a row are
  computed as one (`_WideConv`).
- 1x1 convolutions and descriptors are matrix products (`models.onednn`).

Only the order of rounding differs.

Source: X. Zhao et al., ALIKED, arXiv 2304.03608.
"""

from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tiepoint.models.aliked.activation import POST_SCALE, PRE_SCALE, scaled_selu_
from tiepoint.models.aliked.deformable_conv import DeformableConv2d, limit_offsets, sample_taps
from tiepoint.models.aliked.network import ALIKED, ConvBlock, DescriptorHead, ResidualBlock
from tiepoint.models.aliked.padding import Padding
from tiepoint.models.aliked.upsampling import Upsampler
from tiepoint.models.batch_norm import scale_and_shift
from tiepoint.models.memory import empty_map
from tiepoint.models.onednn import linear
from tiepoint.models.precision import at_least_float32, without_autocast
from tiepoint.models.row_chunks import row_chunks

SCALE = PRE_SCALE * POST_SCALE
"""Factor of weights between two activations."""
HEAD_CHUNKS = 2
"""Rows of the score head per chunk, as a multiple of those of other layers: its halo of three rows is computed twice."""


@torch.no_grad()
@without_autocast()
def fuse(network: ALIKED) -> "FusedALIKED":
    """Build the inference form of a network: the same function with fused layers.

    Args:
        network: Network with the weights to fuse, on its final device and in its final dtype.

    Returns:
        A network in evaluation mode that does not follow later changes of the weights. It has no gradients and cannot be
        saved as a checkpoint.
    """
    return FusedALIKED(network)


class FusedALIKED(ALIKED):
    """`ALIKED` with fused layers; build it with `fuse`."""

    def __init__(self, network: ALIKED) -> None:
        nn.Module.__init__(self)
        self.config = network.config
        self.block1 = _FusedConvBlock(network.block1)
        self.block2 = _FusedResidualBlock(network.block2, network.conv2)
        self.block3 = _FusedResidualBlock(network.block3, network.conv3)
        self.block4 = _FusedResidualBlock(network.block4, network.conv4)
        self.conv1 = _Pointwise(network.conv1.weight, SCALE)
        compression = network.score_head.get_parameter("0.weight").chunk(4, dim=1)
        self.compression = nn.ModuleList([_Pointwise(weight, SCALE) for weight in compression])
        convolutions = cast(tuple[nn.Conv2d, ...], tuple(network.score_head[2::2]))
        self.score_head = nn.Sequential(
            _WideConv(convolutions[0], pixels=4, scale=SCALE),
            _WideConv(convolutions[1], pixels=4, scale=SCALE),
            _WideConv(convolutions[2], pixels=16, scale=POST_SCALE),
        )
        self.desc_head = _FusedDescriptorHead(network.desc_head)
        self.eval()

    def finest(self, pixels: Float[Tensor, "n c"]) -> Float[Tensor, "n d"]:
        """Return the finest level of the feature map at pixels of the output of `block1`."""
        return scaled_selu_(self.conv1.rows(pixels))

    def _levels(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        fine, pooled = self._full_size(images)
        half, pooled = self._half_size(pooled)
        x3 = self.block3(pooled)
        return fine, half, self.block3.level(x3), F.avg_pool2d(x3, 4)

    def _full_size(self, images: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor]:
        """Return the output of `block1`, and the same at 1/2."""
        batch, _, height, width = images.shape
        channels = self.config.widths[0]
        fine = empty_map((batch, channels, height, width), like=images)
        pooled = empty_map((batch, channels, height // 2, width // 2), like=images)
        for rows in row_chunks(images, multiple=2):
            around, near = rows.grow(2), rows.grow(1)
            hidden = near.of(self.block1.conv1(around.of(images)), inside=around)
            output = rows.of(self.block1.conv2(scaled_selu_(hidden)), inside=near)
            scaled_selu_(output, out=rows.of(fine))
            rows.of(pooled).copy_(F.avg_pool2d(rows.of(fine), 2))
        return fine, pooled

    def _half_size(self, maps: Float[Tensor, "b c h w"]) -> tuple[Tensor, Tensor]:
        """Return the level at 1/2, and the input of `block3` at 1/8."""
        batch, _, height, width = maps.shape
        level = empty_map((batch, self.config.dim // 4, height, width), like=maps)
        pooled = empty_map((batch, self.config.widths[1], height // 4, width // 4), like=maps)
        for rows in row_chunks(maps, multiple=4):
            around, near = rows.grow(2), rows.grow(1)
            hidden = near.of(self.block2.conv1(around.of(maps)), inside=around)
            output = rows.of(self.block2.conv2(scaled_selu_(hidden)), inside=near)
            output = scaled_selu_(output + self.block2.downsample(rows.of(maps)))
            self.block2.level(output, out=rows.of(level))
            rows.of(pooled).copy_(F.avg_pool2d(output, 4))
        return level, pooled

    def _coarsest(self, maps: Tensor) -> Tensor:
        return self.block4.level(self.block4(maps))

    def score_map(
        self, fine: Float[Tensor, "b c h w"], coarse: list[Float[Tensor, "b d _h _w"]], padding: Padding
    ) -> Float[Tensor, "b h w"]:
        """Compute the scores in (0, 1) of the padded image, as `ALIKED.score_map`."""
        compress, *compress_coarse = self.compression
        levels = [layer(level) for layer, level in zip(compress_coarse, coarse, strict=True)]
        upsampler = Upsampler(levels, padding)
        scores = at_least_float32(fine.new_empty((len(fine), *fine.shape[2:])))
        for rows in row_chunks(fine, size=HEAD_CHUNKS):
            around = rows.grow(3)
            maps = compress(scaled_selu_(self.conv1(around.of(fine))))
            maps = scaled_selu_(maps.add_(upsampler.rows(around)))
            logits = rows.of(self._run_score_head(maps), inside=around)
            torch.sigmoid(at_least_float32(logits.squeeze(1)), out=rows.of(scores))
        return scores

    def _run_score_head(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h w"]:
        first, second, third = self.score_head
        return third(scaled_selu_(second(scaled_selu_(first(maps)))))


class _FusedConvBlock(ConvBlock):
    """The convolutions of a `ConvBlock`, without activations."""

    def __init__(self, block: ConvBlock) -> None:
        nn.Module.__init__(self)
        self.conv1 = _FoldedConv(block.conv1, block.bn1, scale=PRE_SCALE)
        self.conv2 = _FoldedConv(block.conv2, block.bn2, scale=SCALE)


class _FusedResidualBlock(ResidualBlock):
    """`ResidualBlock`, followed by the 1x1 convolution of its level of the feature map."""

    def __init__(self, block: ResidualBlock, conv: nn.Conv2d) -> None:
        nn.Module.__init__(self)
        self.conv1 = _folded(block.conv1, block.bn1)
        self.conv2 = _folded(block.conv2, block.bn2)
        self.downsample = _Pointwise(block.downsample.weight, SCALE, block.downsample.bias)
        self.conv_level = _Pointwise(conv.weight, SCALE)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Map shape (b, c, h, w) to shape (b, d, h, w)."""
        return scaled_selu_(self.conv2(scaled_selu_(self.conv1(maps))) + self.downsample(maps))

    def level(self, maps: Float[Tensor, "b d h w"], out: Tensor | None = None) -> Float[Tensor, "b e h w"]:
        """Return the level of the feature map for the output of the block."""
        return scaled_selu_(self.conv_level(maps), out=out)


class _FoldedConv(nn.Module):
    """3x3 convolution with its batch norm and scales folded into weights and bias."""

    weight: Float[Tensor, "d c 3 3"]
    bias: Float[Tensor, "d"]

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, scale: float) -> None:
        super().__init__()
        weight, bias = _fold(conv.weight, norm, scale)
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", bias)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Convolve maps of shape (b, c, h, w)."""
        return F.conv2d(maps, self.weight, self.bias, padding=1)


class _FoldedDeformableConv(nn.Module):
    """`DeformableConv2d` with its batch norm and scales folded into weights and bias."""

    weight: Float[Tensor, "d 9*c"]
    bias: Float[Tensor, "d"]
    offset_weight: Float[Tensor, "18 c 3 3"]
    offset_bias: Float[Tensor, "18"]

    def __init__(self, conv: DeformableConv2d, norm: nn.BatchNorm2d, scale: float) -> None:
        super().__init__()
        weight, bias = _fold(conv.regular_conv.weight, norm, scale)
        self.register_buffer("weight", weight.permute(0, 2, 3, 1).flatten(1))
        self.register_buffer("bias", bias)
        self.register_buffer("offset_weight", _scaled(conv.offset_conv.weight, POST_SCALE))
        self.register_buffer("offset_bias", cast(Tensor, conv.offset_conv.bias).detach())

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Convolve maps of shape (b, c, h, w)."""
        offsets = limit_offsets(F.conv2d(maps, self.offset_weight, self.offset_bias, padding=1))
        products = [linear(samples, self.weight, self.bias) for samples in sample_taps(maps, offsets)]
        return torch.stack(products).unflatten(1, maps.shape[-2:]).permute(0, 3, 1, 2)


class _Pointwise(nn.Module):
    """1x1 convolution with scaled weights, as a matrix product."""

    weight: Float[Tensor, "d c"]
    bias: Float[Tensor, "d"] | None

    def __init__(self, weight: Float[Tensor, "d c 1 1"], scale: float, bias: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", _scaled(weight, scale).flatten(1))
        self.register_buffer("bias", None if bias is None else _scaled(bias, PRE_SCALE))

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Convolve maps of shape (b, c, h, w)."""
        pixels = maps.permute(0, 2, 3, 1)
        return self.rows(pixels.flatten(0, 2)).unflatten(0, pixels.shape[:3]).permute(0, 3, 1, 2)

    def rows(self, pixels: Float[Tensor, "n c"]) -> Float[Tensor, "n d"]:
        """Convolve pixels given as rows."""
        return linear(pixels, self.weight, self.bias)


class _WideConv(nn.Module):
    """3x3 convolution that computes several neighboring pixels of a row as channels of one.

    A convolution routine uses whole vector registers for the output channels, and is slow with fewer channels. The
    memory of the output is the same, as pixels of a row are next to each other in channels-last format.
    """

    weight: Float[Tensor, "pixels*d c 3 pixels+2"]

    def __init__(self, conv: nn.Conv2d, pixels: int, scale: float) -> None:
        super().__init__()
        self.pixels = pixels
        weight = _scaled(conv.weight, scale)
        shifted = [F.pad(weight, (pixel, pixels - 1 - pixel)) for pixel in range(pixels)]
        self.register_buffer("weight", torch.cat(shifted).contiguous(memory_format=torch.channels_last))

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Convolve maps of shape (b, c, h, w) whose width is a multiple of the number of pixels."""
        blocks = F.conv2d(maps, self.weight, stride=(1, self.pixels), padding=1)
        pixels = blocks.permute(0, 2, 3, 1).unflatten(-1, (self.pixels, -1)).flatten(2, 3)
        return pixels.permute(0, 3, 1, 2)


class _FusedDescriptorHead(DescriptorHead):
    """`DescriptorHead` as matrix products."""

    patch_weight: Float[Tensor, "2*m k*d"]
    patch_bias: Float[Tensor, "2*m"]
    offset_weight: Float[Tensor, "2*m 2*m"]
    offset_bias: Float[Tensor, "2*m"]
    sf_weight: Float[Tensor, "d d"]
    agg_weight: Float[Tensor, "d m*d"]

    def __init__(self, head: DescriptorHead) -> None:
        nn.Module.__init__(self)
        self.kernel, self.positions = head.kernel, head.positions
        first, _, second = cast(tuple[nn.Conv2d, nn.Module, nn.Conv2d], tuple(head.offset_conv))
        patch_weight = _scaled(first.weight, PRE_SCALE).permute(0, 2, 3, 1).flatten(1)
        self.register_buffer("patch_weight", patch_weight)
        self.register_buffer("patch_bias", _scaled(cast(Tensor, first.bias), PRE_SCALE))
        self.register_buffer("offset_weight", _scaled(second.weight, POST_SCALE).flatten(1))
        self.register_buffer("offset_bias", cast(Tensor, second.bias).detach())
        self.register_buffer("sf_weight", _scaled(head.sf_conv.weight, PRE_SCALE).flatten(1))
        self.register_buffer("agg_weight", head.agg_weights.detach().flatten(0, 1).T.contiguous())

    def _aggregate(self, sampled: Float[Tensor, "n m d"]) -> Float[Tensor, "n d"]:
        features = scaled_selu_(linear(sampled.flatten(0, 1), self.sf_weight))
        return linear(features.view(len(sampled), self.agg_weight.shape[1]), self.agg_weight)

    def _raw_offsets(self, patches: Float[Tensor, "n k d"]) -> Float[Tensor, "n e"]:
        hidden = scaled_selu_(linear(patches.flatten(1), self.patch_weight, self.patch_bias))
        return linear(hidden, self.offset_weight, self.offset_bias)


def _folded(conv: nn.Conv2d | DeformableConv2d, norm: nn.BatchNorm2d) -> nn.Module:
    """Fold a convolution between two activations."""
    if isinstance(conv, DeformableConv2d):
        return _FoldedDeformableConv(conv, norm, scale=SCALE)
    return _FoldedConv(conv, norm, scale=SCALE)


def _fold(weight: Tensor, norm: nn.BatchNorm2d, scale: float) -> tuple[Tensor, Tensor]:
    """Return weights and bias of a convolution without bias, followed by a batch norm.

    Args:
        weight: Weights of the convolution, shape (d, c, 3, 3).
        norm: Batch norm in evaluation mode.
        scale: Factor of the weights; it contains `PRE_SCALE`, the factor of the bias.
    """
    factor, shift = scale_and_shift(norm)
    folded = weight.double() * (factor * scale)[:, None, None, None]
    return folded.to(weight.dtype), (shift * PRE_SCALE).to(weight.dtype)


def _scaled(weight: Tensor, scale: float) -> Tensor:
    return (weight.detach().double() * scale).to(weight.dtype)
