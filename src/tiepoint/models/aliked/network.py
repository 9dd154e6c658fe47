"""ALIKED: a lightweight network that detects keypoints and describes them at deformable positions.

Source: X. Zhao et al., "ALIKED: A Lighter Keypoint and Descriptor Extraction Network via Deformable
Transformation", IEEE TIM 2023, arXiv 2304.03608. Parameter names are those of the published checkpoints.

The 128-channel feature map is never computed at full size. The first layer of the score head and the upsampling
are both linear, so their order is swapped and only 8 channels are upsampled; the descriptors evaluate the map at
the pixels they need (`feature_map`). What runs at inference is the fused form (`fused_network`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tiepoint.models.aliked.activation import selu
from tiepoint.models.aliked.deformable_conv import DeformableConv2d
from tiepoint.models.aliked.feature_map import FeatureMap
from tiepoint.models.aliked.padding import STRIDE, Padding, grid_origin
from tiepoint.models.aliked.upsampling import Upsampler, sum_interpolated
from tiepoint.models.detector import Detector
from tiepoint.models.keypoints import (
    Detection,
    has_contrast,
    keep_inside_mask,
    remove_border,
    sample_bilinear,
    simple_nms,
    soft_argmax,
)
from tiepoint.models.precision import at_least_float32, network_dtype, normalize_rows
from tiepoint.models.row_chunks import Rows
from tiepoint.models.tile import Tile
from tiepoint.models.tracing import is_tracing

RADIUS = 2
"""Radius of non-maximum suppression and refinement, and width of the border without keypoints, in px."""
TEMPERATURE = 0.1
"""Softmax temperature of the sub-pixel refinement, in units of the score."""
KEYPOINTS_PER_BATCH = 512
"""Number of keypoints described at once; bounds the memory for large numbers of keypoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ALIKEDConfig:
    """Sizes of the network.

    Attributes:
        widths: Channels of the four levels (full size, 1/2, 1/8, 1/32).
        dim: Descriptor dimension.
        kernel: Side in px of the patch from which the sampling positions of a descriptor are predicted.
        positions: Number of sampling positions per descriptor.
    """

    widths: tuple[int, int, int, int] = (16, 32, 64, 128)
    dim: int = 128
    kernel: int = 3
    positions: int = 16


ALIKED_VARIANTS = {
    "t16": ALIKEDConfig(widths=(8, 16, 32, 64), dim=64),
    "n16": ALIKEDConfig(),
    "n16rot": ALIKEDConfig(),
    "n32": ALIKEDConfig(positions=32),
}
"""Published variants; n16rot has the architecture of n16 and was trained with rotations."""


class ALIKED(Detector):
    """Images in, keypoints with sub-pixel positions, scores in (0, 1) and descriptors out."""

    stride, nms_radius = STRIDE, RADIUS
    bytes_per_pixel = 290  # n16 at 3 to 12 megapixels

    def __init__(self, config: ALIKEDConfig) -> None:
        super().__init__()
        self.config = config
        w1, w2, w3, w4 = config.widths
        self.block1 = ConvBlock(3, w1)
        self.block2 = ResidualBlock(w1, w2, deformable=False)
        self.block3 = ResidualBlock(w2, w3, deformable=True)
        self.block4 = ResidualBlock(w3, w4, deformable=True)
        self.conv1 = nn.Conv2d(w1, config.dim // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(w2, config.dim // 4, 1, bias=False)
        self.conv3 = nn.Conv2d(w3, config.dim // 4, 1, bias=False)
        self.conv4 = nn.Conv2d(w4, config.dim // 4, 1, bias=False)
        self.score_head = _score_head(config.dim)
        self.desc_head = DescriptorHead(config)

    @property
    def descriptor_dim(self) -> int:
        """Descriptor dimension."""
        return self.config.dim

    def grid_origin(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Return the top-left corner (x, y) of the padded image in px, from which the tile grid is counted.

        Args:
            image_size: Size (width, height) of the whole image in px.
        """
        return grid_origin(image_size)

    def global_context(self, parts: Iterable[tuple[Float[Tensor, "1 3 h w"], Tile]]) -> Tensor:
        """Return the coarsest level of the whole image, assembled from its tiles, shape (1, d, H / 32, W / 32).

        The deformable convolutions of this level reach up to a quarter of the image; the receptive field of
        everything else is 96 px.

        Args:
            parts: Crops, shape (1, 3, h, w), and positions of all tiles.
        """
        context = torch.empty(0, dtype=torch.float32, device="cpu")
        for images, tile in parts:
            padding = Padding.for_images(images, tile)
            *_, maps = self._levels(self._pad(images, padding))
            if len(context) == 0:
                width, height = padding.padded_image_size
                context = maps.new_empty(1, maps.shape[1], height // STRIDE, width // STRIDE)
            context[..., *padding.grid_slices(tile.core)] = maps[
                ..., *padding.grid_slices(tile.core, in_crop=True)
            ]
        return self._coarsest(context.contiguous(memory_format=torch.channels_last))

    def dense_maps(
        self, images: Float[Tensor, "b 3 h w"], tile: Tile | None = None
    ) -> tuple[Float[Tensor, "b h w"], list[FeatureMap]]:
        """Compute the score map and the feature map, both at the size of the images.

        Args:
            images: RGB images in [0, 1], shape (b, 3, h, w).
            tile: Position of the images in a larger image that is not blank, on the grid or at its border.

        Returns:
            Score maps in [0, 1], shape (b, h, w), and one feature map per image.
        """
        padding, fine, coarse = self._encode_images(images, tile)
        scores = padding.unpad(self.score_map(fine, coarse, padding))
        scores = scores if tile else scores * has_contrast(images)[:, None, None]
        return scores, self._feature_maps(padding, fine, coarse)

    def feature_maps(self, images: Float[Tensor, "b 3 h w"], tile: Tile | None = None) -> list[FeatureMap]:
        """Compute the feature map of each image, without its scores.

        Args:
            images: RGB images in [0, 1], shape (b, 3, h, w).
            tile: Position of the images in a larger image, on the grid or at its border.
        """
        return self._feature_maps(*self._encode_images(images, tile))

    def suppress_non_maxima(self, scores: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
        """Return the scores of keypoint candidates, and zero at all other pixels; shape (h, w)."""
        return remove_border(simple_nms(scores.detach(), RADIUS), RADIUS)

    def keypoints_at(
        self,
        pixels: Int[Tensor, "n"],
        scores: Float[Tensor, "h w"],
        features: FeatureMap,
        *,
        mask: Bool[Tensor, "H W"] | None = None,
        tile: Tile | None = None,
    ) -> Detection:
        """Refine and describe keypoints at given pixels.

        Args:
            pixels: Raster indices into the score map, shape (n,).
            scores: Score map of the image before suppression, shape (h, w).
            features: Feature map of the image; it contains the position of the tile.
            mask: Mask, shape (H, W), that refined positions stay in; None means no mask.
            tile: Not used.
        """
        keypoints = soft_argmax(scores, pixels, RADIUS, TEMPERATURE)
        if mask is not None:
            keypoints = keep_inside_mask(keypoints, pixels, mask)
        height, width = scores.shape
        refined_scores = sample_bilinear(scores.reshape(-1, 1), keypoints, width, height).squeeze(1)
        return Detection(keypoints, refined_scores, self.desc_head(features, keypoints))

    def describe_at(
        self, features: FeatureMap, keypoints: Float[Tensor, "n 2"], shape: tuple[int, int]
    ) -> Float[Tensor, "n d"]:
        """Describe an image at given keypoints, which may be between pixels.

        Args:
            features: Feature map of the image.
            keypoints: Positions (x, y) in px, shape (n, 2).
            shape: Not used.
        """
        return self.desc_head(features, keypoints)

    def encode(
        self, images: Float[Tensor, "b 3 h w"], coarsest: Float[Tensor, "b d _h _w"] | None = None
    ) -> tuple[Float[Tensor, "b c h w"], list[Float[Tensor, "b d _h _w"]]]:
        """Compute the output of `block1` and the three coarse levels of the feature map, at 1/2, 1/8 and 1/32.

        The level at full size is `selu(conv1(fine))`; it is evaluated where needed and never stored.

        Args:
            images: Images, shape (b, 3, h, w), both sides multiples of 32.
            coarsest: Level at 1/32 if known, shape (b, d, h / 32, w / 32).

        Returns:
            Output of `block1`, shape (b, c, h, w), and the three coarse levels.
        """
        *levels, pooled = self._levels(images)
        fine, half, eighth = levels
        return fine, [half, eighth, self._coarsest(pooled) if coarsest is None else coarsest]

    def finest(self, pixels: Float[Tensor, "n c"]) -> Float[Tensor, "n d"]:
        """Return the finest level of the feature map at pixels of the output of `block1`."""
        return selu(F.linear(pixels, self.conv1.weight.flatten(1)))

    def _encode_images(self, images: Tensor, tile: Tile | None) -> tuple[Padding, Tensor, list[Tensor]]:
        """Pad and encode images or tiles."""
        padding = Padding.for_images(images, tile)
        coarsest = None if tile is None or tile.context is None else padding.crop_grid(tile.context)
        return padding, *self.encode(self._pad(images, padding), coarsest)

    def _feature_maps(self, padding: Padding, fine: Tensor, coarse: list[Tensor]) -> list[FeatureMap]:
        return [
            FeatureMap(image, self.finest, levels, padding=padding)
            for image, *levels in zip(fine, *coarse, strict=True)
        ]

    def _pad(self, images: Tensor, padding: Padding) -> Tensor:
        images = padding.pad(images.to(network_dtype(self)))
        return images.contiguous(memory_format=torch.channels_last)

    def _levels(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the output of `block1`, the levels at 1/2 and 1/8, and the input of `block4`."""
        x1 = self.block1(images)
        x2 = self.block2(F.avg_pool2d(x1, 2))
        x3 = self.block3(F.avg_pool2d(x2, 4))
        return x1, selu(self.conv2(x2)), selu(self.conv3(x3)), F.avg_pool2d(x3, 4)

    def _coarsest(self, maps: Tensor) -> Tensor:
        return selu(self.conv4(self.block4(maps)))

    def score_map(
        self, fine: Float[Tensor, "b c h w"], coarse: list[Float[Tensor, "b d _h _w"]], padding: Padding
    ) -> Float[Tensor, "b h w"]:
        """Compute the scores in (0, 1) of the padded image.

        Args:
            fine: Output of `block1`, shape (b, c, h, w).
            coarse: Coarse levels from `encode`, each of shape (b, d, h, w) at its own resolution.
            padding: Padding of the images.
        """
        finest_weight, *weights = self.score_head.get_parameter("0.weight").chunk(4, dim=1)
        levels = [F.conv2d(level, weight) for level, weight in zip(coarse, weights, strict=True)]
        height = fine.shape[-2]
        compressed = F.conv2d(selu(self.conv1(fine)), finest_weight)
        if is_tracing():
            compressed = compressed + sum_interpolated(levels, fine.shape[-2:])
        else:
            compressed = compressed + Upsampler(levels, padding).rows(Rows(0, height, height))
        return torch.sigmoid(at_least_float32(self.score_head[1:](compressed))).squeeze(1)


class DescriptorHead(nn.Module):
    """Sparse deformable descriptor head: samples each descriptor at positions predicted from its keypoint's patch."""

    def __init__(self, config: ALIKEDConfig) -> None:
        super().__init__()
        self.kernel = config.kernel
        self.positions = config.positions
        outputs = 2 * config.positions
        self.offset_conv = nn.Sequential(
            nn.Conv2d(config.dim, outputs, config.kernel), SELU(), nn.Conv2d(outputs, outputs, 1)
        )
        self.sf_conv = nn.Conv2d(config.dim, config.dim, 1, bias=False)
        self.agg_weights = nn.Parameter(torch.rand(config.positions, config.dim, config.dim))

    def forward(self, features: FeatureMap, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n d"]:
        """Return the unit descriptors of keypoints.

        Args:
            features: Feature map of the image.
            keypoints: Positions (x, y) in px, shape (n, 2).

        Returns:
            Descriptors, shape (n, d).
        """
        if is_tracing():  # the number of batches would be fixed
            return self._describe(features, keypoints)
        return torch.cat([self._describe(features, part) for part in keypoints.split(KEYPOINTS_PER_BATCH)])

    def _describe(self, features: FeatureMap, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n d"]:
        positions = keypoints[:, None] + self._offsets(features, keypoints)
        sampled = features.sample(positions.flatten(0, 1))
        return normalize_rows(self._aggregate(sampled.unflatten(0, positions.shape[:2])))

    def _offsets(self, features: FeatureMap, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n m 2"]:
        """Return offsets (x, y) in px, predicted from the patch around each keypoint."""
        limit = max(features.padding.image_size) / 4
        offsets = at_least_float32(self._raw_offsets(self._patches(features, keypoints)))
        return offsets.clamp(-limit, limit).view(-1, 2, self.positions).transpose(1, 2)

    def _raw_offsets(self, patches: Float[Tensor, "n k d"]) -> Float[Tensor, "n e"]:
        """Return the offsets before they are limited, all x before all y."""
        maps = patches.transpose(1, 2).unflatten(-1, (self.kernel, self.kernel))
        return self.offset_conv(maps).flatten(1)

    def _aggregate(self, sampled: Float[Tensor, "n m d"]) -> Float[Tensor, "n d"]:
        """Return the descriptors, not normalized, for the vectors at the sampling positions of each keypoint."""
        features = selu(F.linear(sampled, self.sf_conv.weight.flatten(1)))
        return features.flatten(1) @ self.agg_weights.flatten(0, 1)

    def _patches(self, features: FeatureMap, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n k d"]:
        radius = self.kernel // 2
        # the published code keeps patches one px further from the right and bottom border than necessary
        columns, rows = (
            axis.floor().clamp(radius, side - 2 - radius).long() - radius
            for axis, side in zip(keypoints.unbind(dim=1), features.padding.size, strict=True)
        )
        return features.windows(columns, rows, self.kernel)


class ConvBlock(nn.Module):
    """Two 3x3 convolutions, each with batch norm and SELU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(channels_in, channels_out)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = _conv3x3(channels_out, channels_out)
        self.bn2 = nn.BatchNorm2d(channels_out)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Map shape (b, c, h, w) to shape (b, d, h, w)."""
        hidden = selu(self.bn1(self.conv1(maps)))
        return selu(self.bn2(self.conv2(hidden)))


class ResidualBlock(nn.Module):
    """`ConvBlock` with a 1x1 convolution as skip connection, added before the last SELU."""

    def __init__(self, channels_in: int, channels_out: int, *, deformable: bool) -> None:
        super().__init__()
        conv3x3 = DeformableConv2d if deformable else _conv3x3
        self.conv1 = conv3x3(channels_in, channels_out)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = conv3x3(channels_out, channels_out)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Map shape (b, c, h, w) to shape (b, d, h, w)."""
        hidden = selu(self.bn1(self.conv1(maps)))
        return selu(self.bn2(self.conv2(hidden)) + self.downsample(maps))


class SELU(nn.Module):
    """`selu` as a layer."""

    def forward(self, values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Apply SELU elementwise."""
        return selu(values)


def _conv3x3(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False)


def _score_head(dim: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(dim, 8, 1, bias=False),
        SELU(),
        _conv3x3(8, 4),
        SELU(),
        _conv3x3(4, 4),
        SELU(),
        _conv3x3(4, 1),
    )
