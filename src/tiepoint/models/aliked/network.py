"""ALIKED: a light network that finds keypoints and describes them with deformable positions.

Source: X. Zhao et al., "ALIKED: A Lighter Keypoint and Descriptor Extraction Network via Deformable
Transformation", IEEE TIM 2023, arXiv 2304.03608. Parameter names are those of the published checkpoints.

The 128-channel feature map is never built at full size. The score head's first layer is linear, as upsampling
is, so the two change places and 8 channels are upsampled; the descriptors ask for the map at the pixels that
they need (`aliked_features`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tiepoint.models.aliked.deformable_conv import DeformableConv2d
from tiepoint.models.aliked.feature_map import STRIDE, FeatureMap, Frame, grid_origin, selu
from tiepoint.models.keypoints import (
    Detection,
    has_contrast,
    kept_inside,
    masked,
    one_by_one,
    remove_border,
    sample_bilinear,
    simple_nms,
    soft_argmax,
    strongest,
    window_indices,
)
from tiepoint.models.row_chunks import in_strips
from tiepoint.models.tile import Tile

RADIUS = 2
"""Of suppression, of refinement, and of the border without keypoints, in px."""
TEMPERATURE = 0.1
"""Of the sub-pixel refinement, in units of the score."""
KEYPOINTS_AT_ONCE = 512
"""Described together: bounds the memory when all keypoints of an image are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ALIKEDConfig:
    """Sizes of the network.

    Attributes:
        widths: channels of the four levels (full size, 1/2, 1/8, 1/32).
        dim: of the descriptors.
        kernel: side of the patch that the descriptor's positions are predicted from, in px.
        positions: that a descriptor looks at.
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
"""The published networks; n16rot has n16's shape and was trained with rotations."""


class ALIKED(nn.Module):
    """Images in, keypoints with sub-pixel positions, scores and descriptors out."""

    stride, nms_radius = STRIDE, RADIUS
    bytes_per_pixel = 290
    """Memory that one image takes, measured with n16 at 3 to 12 megapixels."""

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
        """Columns of the descriptors."""
        return self.config.dim

    def forward(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        max_keypoints: int | None = 2048,
        detection_threshold: float = 0.0,
        masks: Bool[Tensor, "b h w"] | None = None,
    ) -> list[Detection]:
        """Find and describe keypoints.

        Args:
            images: RGB in [0, 1], of any size; a blank image has no keypoints.
            max_keypoints: the strongest so many; None keeps every local maximum.
            detection_threshold: only keypoints whose pixel scores more than this, in [0, 1].
            masks: True where keypoints may lie; None: everywhere.

        Returns:
            One detection an image.

        Raises:
            InvalidInput: max_keypoints is negative.
        """
        scores, features = self.dense_maps(images)
        return [
            self.detect(
                one, seen, max_keypoints=max_keypoints, detection_threshold=detection_threshold, mask=mask
            )
            for one, seen, mask in zip(scores, features, one_by_one(masks, len(scores)), strict=True)
        ]

    def grid_origin(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """(x, y) in px: where a tile of such an image may begin, as may every `stride` px from there."""
        return grid_origin(image_size)

    def context_of(self, parts: Iterable[tuple[Float[Tensor, "1 3 h w"], Tile]]) -> Tensor:
        """The coarsest level of a whole image, from its parts.

        Its deformable convolutions look up to a quarter of the image away; all else sees 96 px.
        """
        whole = torch.empty(0)
        for images, window in parts:
            frame = Frame.of(images, window)
            maps = F.avg_pool2d(self._blocks(frame.pad(images))[-1], 4)
            if len(whole) == 0:
                width, height = frame.whole_size
                whole = maps.new_empty(1, maps.shape[1], height // STRIDE, width // STRIDE)
            whole[..., *frame.cells(window.core)] = maps[..., *frame.cells(window.core, shown=True)]
        return self._coarsest(whole.contiguous(memory_format=torch.channels_last))

    def dense_maps(
        self, images: Float[Tensor, "b 3 h w"], window: Tile | None = None
    ) -> tuple[Float[Tensor, "b h w"], list[FeatureMap]]:
        """What `detect` works on: the score map in [0, 1] and the feature map, both of the images' size.

        Args:
            images: RGB in [0, 1].
            window: where these lie in a larger image that is not blank; on the grid, or at its border.
        """
        frame = Frame.of(images, window)
        known = None if window is None or window.context is None else frame.cut_cells(window.context)
        fine, coarse = self.encode(frame.pad(images), known)
        scores = frame.cut(self.score_map(fine, coarse, frame))
        features = [
            FeatureMap(image, self.conv1.weight, levels, frame=frame)
            for image, *levels in zip(fine, *coarse, strict=True)
        ]
        return scores if window else scores * has_contrast(images)[:, None, None], features

    def detect(
        self,
        scores: Float[Tensor, "h w"],
        features: FeatureMap,
        *,
        max_keypoints: int | None = 2048,
        detection_threshold: float = 0.0,
        mask: Bool[Tensor, "h w"] | None = None,
    ) -> Detection:
        """Choose, refine and describe the keypoints of one image, where its mask is True; None: everywhere."""
        maxima = self.suppress(masked(scores, mask))
        pixels = strongest(maxima, max_keypoints, detection_threshold)
        return self.keypoints_at(pixels, scores, features, mask=mask)

    def suppress(self, scores: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
        """The scores of pixels that may be keypoints; zero at all others."""
        return remove_border(simple_nms(scores.detach(), RADIUS), RADIUS)

    def keypoints_at(
        self,
        pixels: Int[Tensor, "n"],
        scores: Float[Tensor, "h w"],
        features: FeatureMap,
        *,
        mask: Bool[Tensor, "h w"] | None = None,
        window: Tile | None = None,
    ) -> Detection:
        """Refine and describe these pixels, given by raster index; `features` know the window already."""
        keypoints = soft_argmax(scores, pixels, RADIUS, TEMPERATURE)
        if mask is not None:
            keypoints = kept_inside(keypoints, pixels, mask)
        height, width = scores.shape
        refined_scores = sample_bilinear(scores.reshape(-1, 1), keypoints, width, height).squeeze(1)
        return Detection(keypoints, refined_scores, self.desc_head(features, keypoints))

    def encode(
        self, images: Float[Tensor, "b 3 h w"], coarsest: Float[Tensor, "b d _h _w"] | None = None
    ) -> tuple[Float[Tensor, "b c h w"], list[Float[Tensor, "b d _h _w"]]]:
        """The fine map of `block1`, and three coarse levels of the feature map at 1/2, 1/8 and 1/32.

        The level at full size is `selu(conv1(fine))`; it is evaluated where it is needed, and not kept.

        Args:
            images: both sides multiples of 32.
            coarsest: the level at 1/32, where it is known already.
        """
        x1, x2, x3 = self._blocks(images)
        if coarsest is None:
            coarsest = self._coarsest(F.avg_pool2d(x3, 4))
        return x1, [selu(self.conv2(x2)), selu(self.conv3(x3)), coarsest]

    def _blocks(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x1 = self._run(self.block1, images.contiguous(memory_format=torch.channels_last))
        x2 = self._run(self.block2, F.avg_pool2d(x1, 2))
        return x1, x2, self.block3(F.avg_pool2d(x2, 4))

    def _coarsest(self, maps: Tensor) -> Tensor:
        return selu(self.conv4(self.block4(maps)))

    def _run(self, block: nn.Module, maps: Tensor) -> Tensor:
        # in training, batch norm needs the statistics of the whole map
        return block(maps) if self.training else in_strips(block, maps, halo=2)

    def score_map(
        self, fine: Float[Tensor, "b c h w"], coarse: list[Float[Tensor, "b d _h _w"]], frame: Frame
    ) -> Float[Tensor, "b h w"]:
        """Scores in (0, 1) of the padded image, from what `encode` gave."""
        weights = self._compression()[1:]
        upsampled = [
            frame.upsample(F.conv2d(level, weight)) for level, weight in zip(coarse, weights, strict=True)
        ]
        return in_strips(self._scores, fine, *upsampled, halo=3).squeeze(1)

    def _scores(self, fine: Tensor, *upsampled: Tensor) -> Tensor:
        compressed = F.conv2d(selu(self.conv1(fine)), self._compression()[0])
        for level in upsampled:
            compressed = compressed + level
        return torch.sigmoid(self.score_head[1:](compressed))

    def _compression(self) -> tuple[Tensor, ...]:
        """The score head's first layer, one piece for each level."""
        return self.score_head.get_parameter("0.weight").chunk(4, dim=1)


class DescriptorHead(nn.Module):
    """Sparse deformable descriptor head: each keypoint says where to look, and is what it sees there."""

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
        """Unit descriptors of keypoints given as (x, y) in px."""
        return torch.cat([self._describe(features, part) for part in keypoints.split(KEYPOINTS_AT_ONCE)])

    def _describe(self, features: FeatureMap, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n d"]:
        positions = keypoints[:, None] + self._offsets(features, keypoints)
        sampled = features.sample(positions.flatten(0, 1))
        seen = selu(F.linear(sampled, self.sf_conv.weight.flatten(1)))
        descriptors = seen.unflatten(0, positions.shape[:2]).flatten(1) @ self.agg_weights.flatten(0, 1)
        return F.normalize(descriptors, dim=1)

    def _offsets(self, features: FeatureMap, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n m 2"]:
        """(x, y) offsets in px, read from the patch around each keypoint."""
        patches = self._patches(features, keypoints).permute(0, 3, 1, 2)
        limit = max(features.frame.image_size) / 4
        offsets = self.offset_conv(patches).clamp(-limit, limit)
        return offsets.view(len(keypoints), 2, self.positions).transpose(1, 2)

    def _patches(self, features: FeatureMap, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n k k d"]:
        width, height = features.frame.size
        radius = self.kernel // 2
        # the published code keeps patches one pixel further from the right and bottom border than they need
        last = keypoints.new_tensor([width - 2 - radius, height - 2 - radius])
        centers = keypoints.floor().clamp(min=radius).minimum(last).long()
        corners = centers[:, 1] * width + centers[:, 0]
        indices = corners[:, None] + window_indices(radius, width, keypoints.device)
        return features.at(indices.flatten()).unflatten(0, (len(keypoints), self.kernel, self.kernel))


class ConvBlock(nn.Module):
    """Two 3x3 convolutions, each with batch norm and SELU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(channels_in, channels_out)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = _conv3x3(channels_out, channels_out)
        self.bn2 = nn.BatchNorm2d(channels_out)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        hidden = selu(self.bn1(self.conv1(maps)))
        return selu(self.bn2(self.conv2(hidden)))


class ResidualBlock(nn.Module):
    """`ConvBlock` with a 1x1 convolution around it, added before the last SELU."""

    def __init__(self, channels_in: int, channels_out: int, *, deformable: bool) -> None:
        super().__init__()
        conv3x3 = DeformableConv2d if deformable else _conv3x3
        self.conv1 = conv3x3(channels_in, channels_out)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = conv3x3(channels_out, channels_out)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        hidden = selu(self.bn1(self.conv1(maps)))
        return selu(self.bn2(self.conv2(hidden)) + self.downsample(maps))


class SELU(nn.Module):
    """`selu` as a layer."""

    def forward(self, values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
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
