"""DISK: a U-Net that gives every pixel a score and a descriptor, trained by policy gradient.

Source: M. Tyszkiewicz, P. Fua, E. Trulls, "DISK: Learning local features with policy gradient", NeurIPS 2020.
Parameter names are those of the published checkpoint below its key `extractor`; decisions are those of
kornia 0.9.0.

The last convolution makes 129 channels at full size and would be four fifths of all work. Here it makes the
score alone; the descriptors' 128 channels are computed at the keypoints only (`DescriptorMap`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tiepoint.models.keypoints import (
    Detection,
    has_contrast,
    masked,
    one_by_one,
    positions_of,
    rows_of,
    sample_bilinear,
    strict_maxima,
    strongest,
    window_indices,
)
from tiepoint.models.row_chunks import in_strips
from tiepoint.models.tile import Tile

KERNEL = 5
"""Side of all convolutions, in px."""
STRIDE = 16
"""Side of the square of pixels that one place of the published network's lowest map stands for, in px."""
RADIUS = 2
"""Of the window whose maximum a keypoint must be, in px."""
KEYPOINTS_AT_ONCE = 512
"""Described together: bounds the memory when all keypoints of an image are asked for."""
EPSILON = 1e-5
"""Added to the variance in instance normalization."""
STRIP_HALO = 2
"""Rows of the lower map that a row depends on: one for upsampling, one for two rows of a 5x5 convolution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DISKConfig:
    """Sizes of the network.

    Attributes:
        down: channels on the way down, at full size, 1/2, 1/4 and so on.
        up: channels on the way up, without the last step, which makes the descriptors and the score.
        dim: of the descriptors.
    """

    down: tuple[int, ...] = (16, 32, 64, 64, 64)
    up: tuple[int, ...] = (64, 64, 64)
    dim: int = 128


class DISK(nn.Module):
    """Images in, keypoints at whole pixels, scores and descriptors out."""

    stride, nms_radius = STRIDE, RADIUS
    bytes_per_pixel = 420
    """Memory that one image takes, measured with the published network at 3 to 6 megapixels."""

    def __init__(self, config: DISKConfig) -> None:
        super().__init__()
        self.config = config
        self.unet = UNet(config)

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
            detection_threshold: only keypoints that score more than this; scores are logits, and those below
                zero are never kept.
            masks: True where keypoints may lie; None: everywhere.

        Returns:
            One detection an image.

        Raises:
            InvalidInput: max_keypoints is negative.
        """
        scores, descriptors = self.dense_maps(images)
        return [
            self.detect(
                one, seen, max_keypoints=max_keypoints, detection_threshold=detection_threshold, mask=mask
            )
            for one, seen, mask in zip(scores, descriptors, one_by_one(masks, len(scores)), strict=True)
        ]

    def grid_origin(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """(x, y) in px: where a tile of such an image may begin, as may every `stride` px from there."""
        return 0, 0

    def context_of(self, parts: Iterable[tuple[Tensor, Tile]]) -> None:
        """None: the statistics of the whole image would take a pass for each norm."""
        return

    def dense_maps(
        self, images: Float[Tensor, "b 3 h w"], window: Tile | None = None
    ) -> tuple[Float[Tensor, "b h w"], list["DescriptorMap"]]:
        """What `detect` works on: the map of logits and the descriptor map, both of the images' size.

        Args:
            images: RGB in [0, 1].
            window: where these lie in a larger image that is not blank. Instance norm sees only the part, so the
                numbers differ a little from those of the whole.
        """
        height, width = images.shape[-2:]
        below, beside = self.unet(_pad(images, 2 ** len(self.unet.path_up)))
        last = self.unet.last
        below, beside = last.normalize(below, beside)
        scores = last.last_channel(below, beside)[:, 0, :height, :width]
        descriptors = [DescriptorMap(last, *maps, width) for maps in zip(below, beside, strict=True)]
        return scores if window else scores * has_contrast(images)[:, None, None], descriptors

    def detect(
        self,
        scores: Float[Tensor, "h w"],
        descriptors: "DescriptorMap",
        *,
        max_keypoints: int | None = 2048,
        detection_threshold: float = 0.0,
        mask: Bool[Tensor, "h w"] | None = None,
    ) -> Detection:
        """Choose and describe the keypoints of one image, where its mask is True; None: everywhere."""
        maxima = self.suppress(masked(scores, mask))
        pixels = strongest(maxima, max_keypoints, detection_threshold)
        return self.keypoints_at(pixels, scores, descriptors, mask=mask)

    def suppress(self, scores: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
        """The scores of pixels that may be keypoints; zero at all others."""
        return scores.detach().masked_fill(~strict_maxima(scores.detach(), RADIUS), 0)

    def keypoints_at(
        self,
        pixels: Int[Tensor, "n"],
        scores: Float[Tensor, "h w"],
        descriptors: "DescriptorMap",
        *,
        mask: Bool[Tensor, "h w"] | None = None,
        window: Tile | None = None,
    ) -> Detection:
        """What is known of these pixels, given by raster index; mask and window change nothing here."""
        keypoints = positions_of(pixels, scores.shape[-1]).to(scores.dtype)
        return Detection(keypoints, scores.flatten()[pixels], descriptors.at(pixels))


class DescriptorMap:
    """The descriptor map of one image, evaluated only at the pixels asked for.

    Args:
        block: the last of the network; all but the last channel of its convolution make the descriptor.
        below: what it takes from below, normalized, of the padded image at 1/2.
        beside: what it takes from the way down, normalized, of the padded image at full size.
        width: of the image, in px.
    """

    def __init__(
        self, block: "UpBlock", below: Float[Tensor, "c h w"], beside: Float[Tensor, "d H W"], width: int
    ) -> None:
        self._block = block
        self._below, self._beside = rows_of(below), rows_of(beside)
        self._below_size = (below.shape[2], below.shape[1])
        self._padded_width = beside.shape[2]
        self._width = width

    def at(self, indices: Int[Tensor, "n"]) -> Float[Tensor, "n d"]:
        """The unit vectors at pixels given by raster index, at least 2 px from the border."""
        return torch.cat([self._describe(part) for part in indices.split(KEYPOINTS_AT_ONCE)])

    def _describe(self, indices: Int[Tensor, "n"]) -> Float[Tensor, "n d"]:
        weight, bias = self._block.conv.weight[:-1], self._block.conv.bias[:-1]
        window = window_indices(KERNEL // 2, self._width, indices.device)
        inputs = self._inputs((indices[:, None] + window).flatten())
        patches = inputs.unflatten(0, (len(indices), len(window))).flatten(1)
        return F.normalize(F.linear(patches, weight.permute(0, 2, 3, 1).flatten(1), bias), dim=1)

    def _inputs(self, indices: Int[Tensor, "n"]) -> Float[Tensor, "n c"]:
        """What the last convolution sees at these pixels."""
        pixels = positions_of(indices, self._width)
        beside = self._beside[pixels[:, 1] * self._padded_width + pixels[:, 0]]
        # upsampling by 2 with align_corners=False repeats the border
        width, height = self._below_size
        last = beside.new_tensor([width - 1, height - 1])
        positions = ((pixels + 0.5) / 2 - 0.5).clamp(min=0).minimum(last)
        below = sample_bilinear(self._below, positions, width, height)
        return self._block.conv.gate(torch.cat([below, beside], dim=1))


class UNet(nn.Module):
    """Down by average pooling, up by bilinear interpolation; each way up sees what stood beside it going down."""

    def __init__(self, config: DISKConfig) -> None:
        super().__init__()
        first, *deeper = config.down
        steps = zip(config.down[:-1], deeper, strict=True)
        self.path_down = nn.ModuleList(
            [
                nn.Sequential(nn.Identity(), GatedConv(3, first, gated=False)),
                *(nn.Sequential(nn.AvgPool2d(2), GatedConv(c, d)) for c, d in steps),
            ]
        )
        below = (config.down[-1], *config.up)
        beside = config.down[-2::-1]
        above = (*config.up, config.dim + 1)
        self.path_up = nn.ModuleList([UpBlock(b, s, a) for b, s, a in zip(below, beside, above, strict=True)])

    @property
    def last(self) -> "UpBlock":
        """The block that makes descriptors and scores."""
        return cast("UpBlock", self.path_up[-1])

    def forward(
        self, images: Float[Tensor, "b 3 H W"]
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b d H W"]]:
        """All but the last block, which runs where it is needed: what it takes from below and from beside."""
        maps = [images.contiguous(memory_format=torch.channels_last)]
        for block in self.path_down:
            maps.append(block(maps[-1]))
        below = maps.pop()
        for block in self.path_up[:-1]:
            below = block(below, maps.pop())
        return below, maps.pop()


class GatedConv(nn.Sequential):
    """Instance norm, PReLU, convolution; numbered as in the checkpoint, which has a place for a dropout."""

    def __init__(self, channels_in: int, channels_out: int, *, gated: bool = True) -> None:
        super().__init__(
            InstanceNorm() if gated else nn.Identity(),
            nn.PReLU(channels_in) if gated else nn.Identity(),
            nn.Identity(),
            nn.Conv2d(channels_in, channels_out, KERNEL, padding=KERNEL // 2),
        )

    def without_norm(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """PReLU and convolution of maps that are normalized already."""
        return self[3](self[1](maps))

    def gate(self, values: Float[Tensor, "b c *_"]) -> Float[Tensor, "b c *_"]:
        """The PReLU alone."""
        return self[1](values)

    @property
    def weight(self) -> Float[Tensor, "d c k k"]:
        """Of the convolution."""
        return self.get_parameter("3.weight")

    @property
    def bias(self) -> Float[Tensor, "d"]:
        """Of the convolution."""
        return self.get_parameter("3.bias")


class UpBlock(nn.Module):
    """Upsample what comes from below, put it beside the map of the way down, and convolve both.

    Instance norm sees the whole of both maps and upsampling is linear, so the maps are normalized first, the
    lower one at its own size (`normalize`); the rest runs in strips.
    """

    def __init__(self, below: int, beside: int, above: int) -> None:
        super().__init__()
        self.conv = GatedConv(below + beside, above)

    def forward(
        self, below: Float[Tensor, "b c h w"], beside: Float[Tensor, "b d H W"]
    ) -> Float[Tensor, "b e H W"]:
        maps = self.normalize(below, beside)
        return in_strips(lambda *strips: self.conv.without_norm(_join(*strips)), *maps, halo=STRIP_HALO)

    def normalize(
        self, below: Float[Tensor, "b c h w"], beside: Float[Tensor, "b d H W"]
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b d H W"]]:
        """Give each channel mean 0 and variance 1, that from below after its upsampling."""
        return _standardize(below, upsampled=True), _standardize(beside)

    def last_channel(
        self, below: Float[Tensor, "b c h w"], beside: Float[Tensor, "b d H W"]
    ) -> Float[Tensor, "b 1 H W"]:
        """The last channel alone of what `forward` makes of normalized maps."""
        return in_strips(self._last_channel, below, beside, halo=STRIP_HALO)

    def _last_channel(self, below: Tensor, beside: Tensor) -> Tensor:
        maps = self.conv.gate(_join(below, beside))
        return _convolve_to_one(maps, self.conv.weight[-1]) + self.conv.bias[-1]


def _join(below: Float[Tensor, "b c h w"], beside: Float[Tensor, "b d H W"]) -> Float[Tensor, "b e H W"]:
    upsampled = F.interpolate(below, scale_factor=2, mode="bilinear", align_corners=False)
    return torch.cat([upsampled, beside], dim=1)


class InstanceNorm(nn.Module):
    """Give each channel of each image mean 0 and variance 1."""

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return _standardize(maps)


def _standardize(maps: Float[Tensor, "b c h w"], *, upsampled: bool = False) -> Float[Tensor, "b c h w"]:
    """Mean 0 and variance 1 of each channel, or the variance 1 that it will have when upsampled by 2."""
    centerd = maps - maps.mean(dim=(2, 3), keepdim=True)
    partners = _neighborhood(centerd) if upsampled else centerd
    variance = (centerd * partners).mean(dim=(2, 3), keepdim=True)
    return centerd * (variance + EPSILON).rsqrt()


def _neighborhood(maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """The blur for which mean(maps * blur) is the mean square of the maps upsampled by 2.

    Along one axis neighbors a, b become 3/4 a + 1/4 b and 1/4 a + 3/4 b, and the border is repeated. The mean
    stays what it was; in the sum of squares each pixel meets itself and its two neighbors, 10 : 3 : 3.
    """
    channels = maps.shape[1]
    line = maps.new_tensor([3.0, 10.0, 3.0]) / 16
    kernel = (line[:, None] * line).expand(channels, 1, 3, 3)
    return F.conv2d(F.pad(maps, [1] * 4, mode="replicate"), kernel, groups=channels)


def _convolve_to_one(
    maps: Float[Tensor, "b c h w"], weight: Float[Tensor, "c k k"]
) -> Float[Tensor, "b 1 h w"]:
    """A convolution with one output channel: one matrix product for all taps, then the taps are shifted and added.

    Convolution routines waste most of their work on a single channel.
    """
    kernel = weight.shape[-1]
    taps = weight.flip(1, 2).flatten(1).T @ maps.flatten(2)  # fold spreads where a convolution gathers
    return F.fold(taps, maps.shape[-2:], kernel, padding=kernel // 2)


def _pad(images: Float[Tensor, "b 3 h w"], multiple: int) -> Float[Tensor, "b 3 H W"]:
    """Add zeros at the right and at the bottom until both sides are multiples."""
    height, width = images.shape[-2:]
    return F.pad(images, [0, -width % multiple, 0, -height % multiple])
