"""RaCo: a detector of repeatable keypoints, with heads that rank keypoints and estimate their covariances.

Source: A. Shenoi, P. Lindenberger, P.-E. Sarlin, M. Pollefeys, "RaCo: Ranking and Covariance for Practical Learned
Keypoints", 3DV 2026 (arXiv 2602.15755). Parameter names are those of the published checkpoint.

The backbone is ALIKED's with ordinary convolutions (`tiepoint.models.aliked`), padding included. As there, the first
layer of the score head and the upsampling are exchanged: both are linear, and only 8 channels are upsampled.

Detection needs neither of the other heads, and `forward` does not run them: `ranker_scores` and `covariances` do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.models.aliked.activation import selu
from tiepoint.models.aliked.network import SELU, ConvBlock
from tiepoint.models.aliked.padding import STRIDE, Padding, grid_origin
from tiepoint.models.aliked.upsampling import Upsampler, sum_interpolated
from tiepoint.models.checkpoint import load_strictly
from tiepoint.models.keypoints import sample_bilinear
from tiepoint.models.precision import at_least_float32, network_dtype
from tiepoint.models.row_chunks import Rows
from tiepoint.models.softmax_detector import SoftmaxDetector, normalize_imagenet
from tiepoint.models.tile import Tile
from tiepoint.models.tracing import is_tracing

RANKER, COVARIANCES = "ranker_head", "covariance_estimator_head"
"""Names of the optional heads in checkpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaCoConfig:
    """Sizes of the network.

    Attributes:
        widths: Channels of the four levels (full size, 1/2, 1/8, 1/32); the last is also that of the feature map.
        ranker_width: Channels of the ranker; 0 leaves it out.
        ranker_blocks: Number of residual blocks of the ranker.
        covariance_widths: Channels of the hidden layers of the covariance head; empty leaves it out.
    """

    widths: tuple[int, int, int, int] = (16, 32, 64, 128)
    ranker_width: int = 12
    ranker_blocks: int = 9
    covariance_widths: tuple[int, ...] = (64, 32, 32)


@dataclass(frozen=True, slots=True, eq=False)
class RaCoMaps:
    """What the optional heads of one image are computed from.

    Attributes:
        image: Normalized and padded image, shape (3, H, W).
        levels: Levels of the feature map, each of shape (d, h, w) at its own resolution.
        padding: Padding of the image.
    """

    image: Float[Tensor, "3 H W"]
    levels: list[Float[Tensor, "d _h _w"]]
    padding: Padding


class RaCo(SoftmaxDetector[RaCoMaps]):
    """Images in, keypoints with sub-pixel positions and probabilities out; it has no descriptors."""

    stride, samples_scores = STRIDE, True
    bytes_per_pixel = 540  # at 1.5 to 3 megapixels

    def __init__(self, config: RaCoConfig) -> None:
        super().__init__()
        self.config = config
        w1, w2, w3, w4 = config.widths
        self.block1 = ConvBlock(3, w1)
        self.block2, self.block3, self.block4 = (
            ResidualBlock(*widths) for widths in ((w1, w2), (w2, w3), (w3, w4))
        )
        self.conv1 = nn.Conv2d(w1, w4 // 4, 1, bias=False)
        self.conv2, self.conv3, self.conv4 = (_conv3x3(width, w4 // 4) for width in (w2, w3, w4))
        self.score_head = nn.Sequential(
            nn.Conv2d(w4, 8, 1, bias=False),
            SELU(),
            _conv3x3(8, 4),
            SELU(),
            _conv3x3(4, 4),
            SELU(),
            _conv3x3(4, 1),
        )
        if config.ranker_width:
            self.ranker_head = _ranker(config.ranker_width, config.ranker_blocks)
        if config.covariance_widths:
            self.covariance_estimator_head = _covariance_head((w4, *config.covariance_widths))

    def grid_origin(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Return the top-left corner (x, y) of the padded image in px, from which the tile grid is counted.

        Args:
            image_size: Size (width, height) of the whole image in px.
        """
        return grid_origin(image_size)

    def logits(
        self, images: Float[Tensor, "b 3 h w"], tile: Tile | None = None
    ) -> tuple[Float[Tensor, "b h w"], list[RaCoMaps]]:
        """Compute the logits of all pixels, and what the optional heads need.

        Args:
            images: RGB images in [0, 1], shape (b, 3, h, w).
            tile: Position of the images in a larger image, on the grid or at its border.
        """
        padding = Padding.for_images(images, tile)
        padded = padding.pad(normalize_imagenet(at_least_float32(images)).to(network_dtype(self)))
        padded = padded.contiguous(memory_format=torch.channels_last)
        levels = self._levels(padded)
        logits = padding.unpad(self._logits(levels, padding))
        return logits, [
            RaCoMaps(image, list(maps), padding) for image, *maps in zip(padded, *levels, strict=True)
        ]

    @torch.no_grad()
    def ranker_scores(self, maps: RaCoMaps, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n"]:
        """Return how well keypoints match, relative to each other: of few keypoints, take those with the highest scores.

        Args:
            maps: Maps of the image, from `dense_maps`.
            keypoints: Positions (x, y) in px inside the image, shape (n, 2).

        Raises:
            InvalidInput: If the weights have no ranker.
        """
        head = self._head(RANKER)
        return _sample(maps.padding.unpad(head(maps.image[None])[0]), keypoints)[:, 0]

    @torch.no_grad()
    def covariances(self, maps: RaCoMaps, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2 2"]:
        """Return the covariances of the positions of keypoints in px^2 of the image.

        Args:
            maps: Maps of the image, from `dense_maps`.
            keypoints: Positions (x, y) in px inside the image, shape (n, 2).

        Raises:
            InvalidInput: If the weights have no covariance head.
        """
        head = self._head(COVARIANCES)
        first, *others = (level[None] for level in maps.levels)
        shape = first.shape[-2:]
        upsampled = [F.interpolate(level, shape, mode="bilinear", align_corners=True) for level in others]
        elements = maps.padding.unpad(at_least_float32(head(torch.cat([first, *upsampled], dim=1)))[0])
        diagonal = F.softplus(elements[[0, 2]])
        factors = _sample(torch.stack([diagonal[0], elements[1], diagonal[1]]), keypoints)
        zeros = torch.zeros_like(factors[:, 0])
        lower = torch.stack([factors[:, 0], zeros, factors[:, 1], factors[:, 2]], dim=1).view(-1, 2, 2)
        return lower @ lower.mT

    def _head(self, name: str) -> nn.Module:
        head = getattr(self, name, None)
        if head is None:
            raise InvalidInput(f"these weights of RaCo have no {name}; use the file of its authors, raco.pth")
        return head

    def _levels(self, images: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b d _h _w"]]:
        """Return the levels of the feature map, at full size, 1/2, 1/8 and 1/32."""
        x1 = self.block1(images)
        x2 = self.block2(F.avg_pool2d(x1, 2))
        x3 = self.block3(F.avg_pool2d(x2, 4))
        x4 = self.block4(F.avg_pool2d(x3, 4))
        convs = (self.conv1, self.conv2, self.conv3, self.conv4)
        return [selu(conv(maps)) for conv, maps in zip(convs, (x1, x2, x3, x4), strict=True)]

    def _logits(self, levels: list[Float[Tensor, "b d _h _w"]], padding: Padding) -> Float[Tensor, "b h w"]:
        """Return the logits of the padded image."""
        weights = self.score_head.get_parameter("0.weight").chunk(len(levels), dim=1)
        first, *others = (F.conv2d(level, weight) for level, weight in zip(levels, weights, strict=True))
        if is_tracing():
            compressed = first + sum_interpolated(others, first.shape[-2:])
        else:
            compressed = first + Upsampler(others, padding).rows(Rows(0, first.shape[-2], first.shape[-2]))
        return at_least_float32(self.score_head[1:](compressed)).squeeze(1)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm and SELU, and a 1x1 convolution added before the last SELU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(channels_in, channels_out)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = _conv3x3(channels_out, channels_out)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.match_dims = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Map shape (b, c, h, w) to shape (b, d, h, w)."""
        hidden = selu(self.bn1(self.conv1(maps)))
        return selu(self.bn2(self.conv2(hidden)) + self.match_dims(maps))


def build(state: Mapping[str, Tensor]) -> RaCo:
    """Build the network from a checkpoint, in evaluation mode; heads that the checkpoint does not have are left out.

    Args:
        state: Tensors of the published file.

    Raises:
        WeightsError: If a tensor is missing, unexpected, or has the wrong shape.
    """
    default = RaCoConfig()
    config = RaCoConfig(
        ranker_width=default.ranker_width if _has(state, RANKER) else 0,
        covariance_widths=default.covariance_widths if _has(state, COVARIANCES) else (),
    )
    with torch.device("meta"):
        network = RaCo(config)
    load_strictly(network, state, "RaCo")
    return cast(RaCo, network.eval())


def _has(state: Mapping[str, Tensor], head: str) -> bool:
    return any(name.startswith(f"{head}.") for name in state)


def _conv3x3(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)


def _ranker(width: int, blocks: int) -> nn.Sequential:
    channels = [3, *[width] * blocks]
    residual = [ResidualBlock(*widths) for widths in pairwise(channels)]
    return nn.Sequential(*residual, nn.Conv2d(width, 1, 5, padding=2, padding_mode="reflect"))


def _covariance_head(widths: Iterable[int]) -> nn.Sequential:
    channels = list(widths)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(channels):
        conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False, padding_mode="reflect")
        layers += [conv, nn.LeakyReLU()]
    return nn.Sequential(*layers, nn.Conv2d(channels[-1], 3, 1))


def _sample(maps: Float[Tensor, "c h w"], keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n c"]:
    """Sample maps bilinearly at positions inside of them."""
    channels, height, width = maps.shape
    return sample_bilinear(
        at_least_float32(maps).permute(1, 2, 0).reshape(-1, channels), keypoints, width, height
    )
