"""DISK: a U-Net with a score and a descriptor per pixel, trained by policy gradient.

Source: M. Tyszkiewicz, P. Fua, E. Trulls, "DISK: Learning local features with policy gradient", NeurIPS 2020.
Parameter names are those of the published checkpoint under its key `extractor`; keypoint selection follows
kornia 0.9.0.

The last convolution has 129 output channels at full size and would take four fifths of the computation. Here it
computes only the score; the 128 descriptor channels are computed only at the keypoints (`DescriptorMap`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tiepoint.models.detector import Detector
from tiepoint.models.keypoints import (
    Detection,
    flatten_spatial,
    has_contrast,
    pixel_coordinates,
    sample_bilinear,
    strict_maxima,
    window_offsets,
)
from tiepoint.models.onednn import is_available_for, linear_padded
from tiepoint.models.padding import replicate_pad
from tiepoint.models.precision import at_least_float32, network_dtype, normalize_rows
from tiepoint.models.row_chunks import Rows, conv_in_row_chunks, join_rows, row_chunks
from tiepoint.models.tile import Tile
from tiepoint.models.tracing import is_tracing

KERNEL = 5
"""Kernel size of all convolutions in px."""
STRIDE = 16
"""Stride of the published network's coarsest map in px."""
RADIUS = 2
"""Radius of non-maximum suppression in px."""
KEYPOINTS_PER_BATCH = 512
"""Number of keypoints described at once; bounds the memory for large numbers of keypoints."""
EPSILON = 1e-5
"""Added to the variance in instance normalization."""
CHUNK_CHANNELS = 16
"""Channels of maps whose chunks have `row_chunks.CHUNK_PIXELS` pixels; maps with more channels have smaller chunks."""
UP_CHUNKS, LAST_CHUNKS = 0.5, 1
"""Size of the chunks of the expanding path and its last block, as a multiple of `row_chunks.CHUNK_PIXELS`."""
HALO = KERNEL // 2
"""Rows above and below that a row of a convolution's output depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DISKConfig:
    """Sizes of the network.

    Attributes:
        down: Channels of the contracting path, at full size, 1/2, 1/4 and so on.
        up: Channels of the expanding path, without the last block, which computes descriptors and score.
        dim: Descriptor dimension.
    """

    down: tuple[int, ...] = (16, 32, 64, 64, 64)
    up: tuple[int, ...] = (64, 64, 64)
    dim: int = 128


class DISK(Detector):
    """Images in, keypoints at integer pixels, scores and descriptors out.

    Scores are logits; pixels with a negative score are never keypoints. Tiles have no global context: the statistics
    of instance normalization would take one pass over the image per layer.
    """

    stride, nms_radius = STRIDE, RADIUS
    bytes_per_pixel = 420  # published network at 3 to 6 megapixels

    def __init__(self, config: DISKConfig) -> None:
        super().__init__()
        self.config = config
        self.unet = UNet(config)

    @property
    def descriptor_dim(self) -> int:
        """Descriptor dimension."""
        return self.config.dim

    def dense_maps(
        self, images: Float[Tensor, "b 3 h w"], tile: Tile | None = None
    ) -> tuple[Float[Tensor, "b h w"], list["DescriptorMap"]]:
        """Compute the logits and the descriptor map, both at the size of the images.

        Args:
            images: RGB images in [0, 1], shape (b, 3, h, w).
            tile: Position of the images in a larger image that is not blank. Instance normalization uses the
                statistics of the tile only, so results differ slightly from those of the whole image.

        Returns:
            Score maps (logits), shape (b, h, w), and one descriptor map per image.
        """
        height, width = images.shape[-2:]
        padded = _pad(images.to(network_dtype(self)), 2 ** len(self.unet.path_up))
        lower, skip = self.unet(padded)
        last = self.unet.last
        lower, skip = last.normalize(lower, skip)
        scores = last.last_channel(lower, skip)[:, 0, :height, :width]
        descriptors = [DescriptorMap(last, *maps, width) for maps in zip(lower, skip, strict=True)]
        return scores if tile else scores * has_contrast(images)[:, None, None], descriptors

    def suppress_non_maxima(self, scores: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
        """Return the scores of keypoint candidates, and zero at all other pixels; shape (h, w)."""
        return scores.detach().masked_fill(~strict_maxima(scores.detach(), RADIUS), 0)

    def keypoints_at(
        self,
        pixels: Int[Tensor, "n"],
        scores: Float[Tensor, "h w"],
        features: "DescriptorMap",
        *,
        mask: Bool[Tensor, "H W"] | None = None,
        tile: Tile | None = None,
    ) -> Detection:
        """Describe keypoints at given pixels.

        Args:
            pixels: Raster indices into the score map, shape (n,).
            scores: Score map of the image before suppression, shape (h, w).
            features: Descriptor map of the image.
            mask: Not used; keypoints stay at their pixels.
            tile: Not used.
        """
        keypoints = pixel_coordinates(pixels, scores.shape[-1]).to(scores.dtype)
        return Detection(keypoints, scores.flatten()[pixels], features.at(pixels))

    def describe_at(
        self, features: "DescriptorMap", keypoints: Float[Tensor, "n 2"], shape: tuple[int, int]
    ) -> Float[Tensor, "n d"]:
        """Describe an image at the pixels nearest to given keypoints, at least 2 px from the border.

        Args:
            features: Descriptor map of the image.
            keypoints: Positions (x, y) in px, shape (n, 2).
            shape: Shape (height, width) of the image.
        """
        height, width = shape
        margin = KERNEL // 2
        x, y = (
            axis.round().long().clamp(margin, side - 1 - margin)
            for axis, side in zip(keypoints.unbind(1), (width, height), strict=True)
        )
        return features.at(y * width + x)


class DescriptorMap:
    """Descriptor map of one image, evaluated only at the requested pixels.

    Args:
        block: Last block of the network; all channels but the last of its convolution are the descriptor.
        lower: Normalized lower map of the padded image at 1/2, shape (c, h, w).
        skip: Normalized skip connection of the padded image at full size, shape (d, H, W).
        width: Width of the image in px.
    """

    def __init__(
        self, block: "UpBlock", lower: Float[Tensor, "c h w"], skip: Float[Tensor, "d H W"], width: int
    ) -> None:
        self._block = block
        self._lower, self._skip = flatten_spatial(lower), flatten_spatial(skip)
        self._lower_size = (lower.shape[2], lower.shape[1])
        self._padded_width = skip.shape[2]
        self._width = width

    def at(self, indices: Int[Tensor, "n"]) -> Float[Tensor, "n d"]:
        """Return the unit descriptors at pixels given by raster index, at least 2 px from the border."""
        if is_tracing():  # the number of batches would be fixed
            return self._describe(indices)
        return torch.cat([self._describe(part) for part in indices.split(KEYPOINTS_PER_BATCH)])

    def _describe(self, indices: Int[Tensor, "n"]) -> Float[Tensor, "n d"]:
        weight, bias = self._block.conv.weight[:-1], self._block.conv.bias[:-1]
        window = window_offsets(KERNEL // 2, self._width, indices.device)
        inputs = self._inputs((indices[:, None] + window).flatten())
        patches = inputs.unflatten(0, (-1, len(window))).flatten(1)
        return normalize_rows(F.linear(patches, weight.permute(0, 2, 3, 1).flatten(1), bias))

    def _inputs(self, indices: Int[Tensor, "n"]) -> Float[Tensor, "n c"]:
        """Return the inputs of the last convolution at these pixels."""
        pixels = pixel_coordinates(indices, self._width)
        skip = self._skip[pixels[:, 1] * self._padded_width + pixels[:, 0]]
        # upsampling by 2 with align_corners=False replicates the border
        width, height = self._lower_size
        last = torch.tensor([width - 1, height - 1], dtype=torch.float32, device=pixels.device)
        positions = ((pixels.float() + 0.5) / 2 - 0.5).clamp(min=0).minimum(last)
        lower = sample_bilinear(self._lower, positions, width, height)
        return self._block.conv.gate(torch.cat([lower, skip], dim=1))


class UNet(nn.Module):
    """U-Net: average pooling on the contracting path, bilinear upsampling and skip connections on the expanding path."""

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
        lower = (config.down[-1], *config.up)
        skips = config.down[-2::-1]
        outputs = (*config.up, config.dim + 1)
        self.path_up = nn.ModuleList([UpBlock(*widths) for widths in zip(lower, skips, outputs, strict=True)])

    @property
    def last(self) -> "UpBlock":
        """The block that computes descriptors and scores."""
        return cast("UpBlock", self.path_up[-1])

    def forward(
        self, images: Float[Tensor, "b 3 H W"]
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b d H W"]]:
        """Run all blocks but the last, which is evaluated only where needed.

        Args:
            images: Padded images, shape (b, 3, H, W).

        Returns:
            Inputs of the last block: lower map at 1/2, shape (b, c, h, w), and skip connection, shape (b, d, H, W).
        """
        images = images.contiguous(memory_format=torch.channels_last)
        first, *deeper = self.path_down
        maps = [conv_in_row_chunks(first, images, halo=HALO)]
        for block in deeper:
            maps.append(block(maps[-1]))
        lower = maps.pop()
        for block in self.path_up[:-1]:
            lower = block(lower, maps.pop())
        return lower, maps.pop()


class GatedConv(nn.Sequential):
    """Instance norm, PReLU, convolution; numbered as in the checkpoint, which has an unused dropout layer."""

    def __init__(self, channels_in: int, channels_out: int, *, gated: bool = True) -> None:
        super().__init__(
            InstanceNorm() if gated else nn.Identity(),
            nn.PReLU(channels_in) if gated else nn.Identity(),
            nn.Identity(),
            nn.Conv2d(channels_in, channels_out, KERNEL, padding=KERNEL // 2),
        )

    def gate(self, values: Float[Tensor, "b c *_"]) -> Float[Tensor, "b c *_"]:
        """Apply only the PReLU."""
        return self[1](values)

    @property
    def weight(self) -> Float[Tensor, "d c k k"]:
        """Weights of the convolution."""
        return self.get_parameter("3.weight")

    @property
    def bias(self) -> Float[Tensor, "d"]:
        """Bias of the convolution."""
        return self.get_parameter("3.bias")


class UpBlock(nn.Module):
    """Upsample the lower map, concatenate the skip connection, and convolve.

    Instance normalization needs the statistics of the whole maps and upsampling is linear, so the maps are
    normalized first, the lower one at its own size (`normalize`); the rest runs in chunks of rows.
    """

    def __init__(self, lower: int, skip: int, output: int) -> None:
        super().__init__()
        self.conv = GatedConv(lower + skip, output)

    def forward(
        self, lower: Float[Tensor, "b c h w"], skip: Float[Tensor, "b d H W"]
    ) -> Float[Tensor, "b e H W"]:
        """Run the block; without gradients it overwrites its inputs.

        Args:
            lower: Lower map, shape (b, c, H / 2, W / 2).
            skip: Skip connection, shape (b, d, H, W).

        Returns:
            Output map, shape (b, e, H, W).
        """
        chunks = self._gated_chunks(*self.normalize(lower, skip), size=UP_CHUNKS)
        weight, bias = self.conv.weight, self.conv.bias
        return join_rows((rows, F.conv2d(maps, weight, bias, padding=(0, HALO))) for rows, maps in chunks)

    def normalize(
        self, lower: Float[Tensor, "b c h w"], skip: Float[Tensor, "b d H W"]
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b d H W"]]:
        """Normalize each channel to mean 0 and variance 1; the lower map such that this holds after upsampling.

        Without gradients the maps are overwritten.
        """
        return _standardize(lower, upsampled=True), _standardize(skip)

    def last_channel(
        self, lower: Float[Tensor, "b c h w"], skip: Float[Tensor, "b d H W"]
    ) -> Float[Tensor, "b 1 H W"]:
        """Return only the last output channel for normalized maps, shape (b, 1, H, W)."""
        chunks = self._gated_chunks(lower, skip, size=LAST_CHUNKS)
        return join_rows((rows, self._last_channel(maps)) for rows, maps in chunks)

    def _last_channel(self, maps: Float[Tensor, "b c H W"]) -> Float[Tensor, "b 1 h W"]:
        output = _convolve_to_one(maps, self.conv.weight[-1])
        return output[..., HALO:-HALO, :] + self.conv.bias[-1]

    def _gated_chunks(self, lower: Tensor, skip: Tensor, size: float) -> Iterator[tuple[Rows, Tensor]]:
        """Yield chunks of rows, and the input of the convolution for them: these rows and `HALO` above and below."""
        for rows in row_chunks(skip, multiple=2, size=size):
            around = rows.grow(HALO)
            maps = torch.cat([_upsample_rows(lower, around), around.of(skip)], dim=1)
            missing = [0, 0, HALO - (rows.top - around.top), HALO - (around.bottom - rows.bottom)]
            maps = self.conv.gate(maps)
            yield rows, F.pad(maps, missing) if any(missing) else maps


def _upsample_rows(lower: Float[Tensor, "b c h w"], rows: Rows) -> Float[Tensor, "b c H W"]:
    """Return rows of the lower map upsampled by 2; interpolation needs one more row above and below."""
    source = Rows(rows.top // 2, -(-rows.bottom // 2), rows.height // 2).grow(1)
    upsampled = F.interpolate(source.of(lower), scale_factor=2, mode="bilinear", align_corners=False)
    return rows.of(upsampled, inside=Rows(2 * source.top, 2 * source.bottom, rows.height))


class InstanceNorm(nn.Module):
    """Instance normalization: mean 0 and variance 1 per channel and image."""

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Normalize maps of shape (b, c, h, w)."""
        return _standardize(maps)


def _standardize(maps: Float[Tensor, "b c h w"], *, upsampled: bool = False) -> Float[Tensor, "b c h w"]:
    """Normalize each channel to mean 0 and variance 1; with `upsampled`, to variance 1 after upsampling by 2.

    Without gradients the maps are overwritten.
    """
    if not torch.is_grad_enabled() and not is_tracing():
        return _standardize_in_place(maps, upsampled=upsampled)
    values = at_least_float32(maps)
    centered = values - _mean(values)
    partners = _blur(centered) if upsampled else centered
    variance = _mean(centered * partners)
    return (centered * (variance + EPSILON).rsqrt()).to(maps.dtype)


def _mean(maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c 1 1"]:
    """Return the mean of each channel, rows first: runtimes that add one value after the other round long sums."""
    return maps.mean(dim=3, keepdim=True).mean(dim=2, keepdim=True)


def _standardize_in_place(
    maps: Float[Tensor, "b c h w"], *, upsampled: bool = False
) -> Float[Tensor, "b c h w"]:
    """Compute `_standardize` without gradients and new maps, whose memory costs more than the computation."""
    values = at_least_float32(maps)
    mean = values.mean(dim=(2, 3), keepdim=True)
    squares = torch.zeros_like(mean)
    chunks = list(row_chunks(values, size=min(CHUNK_CHANNELS / values.shape[1], 1)))
    for rows in chunks:
        around = rows.grow(1) if upsampled else rows
        centered = around.of(values) - mean
        part = rows.of(centered, inside=around)
        partners = rows.of(_blur(centered), inside=around) if upsampled else part
        squares += (part * partners).sum(dim=(2, 3), keepdim=True)
    scale = (squares / (values.shape[2] * values.shape[3]) + EPSILON).rsqrt()
    for rows in chunks:
        rows.of(values).sub_(mean).mul_(scale)
    return values.to(maps.dtype)


def _blur(maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Blur maps such that mean(maps * blur) is the mean square of the maps upsampled by 2.

    Along one axis, upsampling turns neighbors a, b into 3/4 a + 1/4 b and 1/4 a + 3/4 b and replicates the border.
    The mean does not change; in the sum of squares, a pixel and its two neighbors have weights 10 : 3 : 3.
    """
    channels = maps.shape[1]
    line = maps.new_tensor([3.0, 10.0, 3.0]) / 16
    kernel = (line[:, None] * line).expand(channels, 1, 3, 3)
    return F.conv2d(replicate_pad(maps, [1] * 4), kernel, groups=channels)


def _convolve_to_one(
    maps: Float[Tensor, "b c h w"], weight: Float[Tensor, "c k k"]
) -> Float[Tensor, "b 1 h w"]:
    """Convolve to one output channel: one matrix product for all taps, then a sum of the shifted taps.

    Convolution routines are inefficient for a single output channel. The taps are added in float32 or better.
    """
    kernel = weight.shape[-1]
    matrix = weight.flip(1, 2).flatten(1).T  # fold scatters where a convolution gathers
    if torch.is_grad_enabled() or is_tracing() or not is_available_for(maps):
        taps = matrix @ maps.flatten(2)
    else:
        taps = torch.stack([linear_padded(matrix, flatten_spatial(image)) for image in maps])
    return F.fold(at_least_float32(taps), maps.shape[-2:], kernel, padding=kernel // 2)


def _pad(images: Float[Tensor, "b 3 h w"], multiple: int) -> Float[Tensor, "b 3 H W"]:
    """Zero-pad at the right and the bottom to multiples of `multiple`."""
    height, width = images.shape[-2:]
    return F.pad(images, [0, -width % multiple, 0, -height % multiple])
