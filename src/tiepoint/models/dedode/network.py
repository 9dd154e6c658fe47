"""Parts of DaD and DeDoDe: a VGG as encoder, and a decoder that refines its maps from coarse to fine.

Source: J. Edstedt et al., "DeDoDe: Detect, Don't Describe - Describe, Don't Detect for Local Feature Matching", 3DV 2024
(arXiv 2308.08479); K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks", ICLR 2015 (arXiv 1409.1556).
Parameter names are those of the published checkpoints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

KERNEL = 5
"""Kernel size of the depthwise convolutions in px."""
RESIDUAL_SCALE = 1.4
"""Divisor of the sum of a refiner's input and output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Sizes of encoder and decoder.

    Attributes:
        encoder: Channels of the convolutions at full size, 1/2, 1/4 and 1/8.
        hidden: Channels of the refiners at 1/8, 1/4, 1/2 and full size.
        contexts: Channels that a refiner passes to the next finer one.
        blocks: Number of hidden blocks per refiner.
    """

    encoder: tuple[tuple[int, ...], ...]
    hidden: tuple[int, ...] = (512, 256, 64, 32)
    contexts: tuple[int, ...] = (256, 128, 32, 1)
    blocks: int

    @property
    def scales(self) -> tuple[str, ...]:
        """Names of the refiners in checkpoints: the sides of their pixels in px of the image, coarse to fine."""
        return tuple(str(2**level) for level in reversed(range(len(self.encoder))))


VGG11 = ((64,), (128,), (256, 256), (512, 512))
VGG19 = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4)


class VGG(nn.Module):
    """Convolutions with batch norm and ReLU; the output of each level, before its pooling, is a result.

    Args:
        levels: Channels of the convolutions of each level.
    """

    def __init__(self, levels: Sequence[Sequence[int]]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for widths in levels:
            for width in widths:
                layers += [
                    nn.Conv2d(channels, width, 3, padding=1),
                    nn.BatchNorm2d(width),
                    nn.ReLU(inplace=True),
                ]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.layers = nn.ModuleList(layers)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _c _h _w"]]:
        """Return the maps at full size, 1/2, 1/4 and so on."""
        maps: list[Tensor] = []
        hidden = images.contiguous(memory_format=torch.channels_last)
        for layer in self.layers[:-1]:  # the last pooling has no use
            if isinstance(layer, nn.MaxPool2d):
                maps.append(hidden)
            hidden = layer(hidden)
        return [*maps, hidden]


class Refiner(nn.Module):
    """1x1 convolution, depthwise blocks with a residual connection, 1x1 convolution."""

    def __init__(self, channels_in: int, hidden: int, channels_out: int, blocks: int) -> None:
        super().__init__()
        self.block1 = _block(channels_in, hidden, kernel=1, groups=1)
        self.hidden_blocks = nn.Sequential(
            *(_block(hidden, hidden, kernel=KERNEL, groups=hidden) for _ in range(blocks))
        )
        self.out_conv = nn.Conv2d(hidden, channels_out, 1)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Return the input of the last convolution; it is applied where its output is needed."""
        first = self.block1(maps)
        return (self.hidden_blocks(first) + first) / RESIDUAL_SCALE


class Decoder(nn.Module):
    """Refiners from coarse to fine; each adds to the output of the coarser ones.

    Args:
        sizes: Sizes of encoder and decoder.
        channels: Channels of the output.
        coarsest: Refiner in front of the others: its name, its input channels and its hidden channels; None if there is
            none. Its context has as many channels as the next map of the encoder.
    """

    def __init__(self, sizes: Sizes, channels: int, coarsest: tuple[str, int, int] | None = None) -> None:
        super().__init__()
        self.channels = channels
        self.layers = nn.ModuleDict()
        context = 0
        if coarsest is not None:
            name, inputs, hidden = coarsest
            context = sizes.encoder[-1][-1]
            self.layers[name] = Refiner(inputs, hidden, context + channels, sizes.blocks)
        for name, widths, hidden, outputs in zip(
            sizes.scales, reversed(sizes.encoder), sizes.hidden, sizes.contexts, strict=True
        ):
            self.layers[name] = Refiner(widths[-1] + context, hidden, outputs + channels, sizes.blocks)
            context = outputs

    def forward(
        self, maps: Sequence[Float[Tensor, "b _c _h _w"]], mode: str
    ) -> tuple[Float[Tensor, "b e H2 W2"], Float[Tensor, "b c H W"]]:
        """Run all refiners, but the last convolution of the finest.

        Args:
            maps: Maps of the encoder, coarse to fine.
            mode: Interpolation of the output between levels.

        Returns:
            Output of all levels but the finest, at the size of the second finest map, and the input of the last
            convolution of the finest.
        """
        *coarse, finest = zip(self._refiners, maps, strict=True)
        output, context = None, None
        for refiner, level in coarse:
            if output is not None and context is not None:
                output = _resize(output, level, mode)
                level = torch.cat([level, _resize(context, level, "bilinear")], dim=1)
            refined = refiner.out_conv(refiner(level))
            added, context = refined[:, : self.channels], refined[:, self.channels :]
            output = added if output is None else output + added
        refiner, level = finest
        assert output is not None
        assert context is not None
        return output, refiner(torch.cat([level, _resize(context, level, "bilinear")], dim=1))

    @property
    def last_conv(self) -> tuple[Float[Tensor, "d c"], Float[Tensor, "d"]]:
        """Weight and bias of the output of the finest refiner, a matrix product per pixel."""
        conv = self._refiners[-1].out_conv
        assert conv.bias is not None
        return conv.weight[: self.channels].flatten(1), conv.bias[: self.channels]

    @property
    def _refiners(self) -> list[Refiner]:
        return cast(list[Refiner], list(self.layers.values()))


def _resize(
    maps: Float[Tensor, "b c _h _w"], like: Float[Tensor, "b _d h w"], mode: str
) -> Float[Tensor, "b c h w"]:
    return F.interpolate(maps, like.shape[-2:], mode=mode, align_corners=False)


def _block(channels_in: int, channels_out: int, *, kernel: int, groups: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, groups=groups),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels_out, channels_out, 1),
    )
