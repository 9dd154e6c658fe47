"""SuperPoint: one encoder, and two heads that find keypoints and describe them; learned without labels.

Source: D. DeTone, T. Malisiewicz, A. Rabinovich, "SuperPoint: Self-Supervised Interest Point Detection and
Description", CVPR workshops 2018, arXiv 1712.07629. Parameter names are those of the original checkpoint;
`superpoint_convert` knows the others. There are two forms:

- the original, as cvg/LightGlue and transformers use it;
- SuperPoint-Open, trained again under a free license (R. Pautrat, P.-E. Sarlin, github.com/rpautrat/SuperPoint):
  a batch norm after each ReLU, and descriptors sampled at other positions.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.models.keypoints import (
    Detection,
    has_contrast,
    masked,
    one_by_one,
    positions_of,
    remove_border,
    rows_of,
    sample_bilinear,
    simple_nms,
    strongest,
)
from tiepoint.models.row_chunks import STRIP_PIXELS
from tiepoint.models.tile import Tile

CELL = 8
"""Side of the square of pixels that one place of the coarse maps stands for, in px."""
RADIUS = 4
"""Of suppression, and of the border without keypoints, in px."""
BATCH_NORM_EPSILON = 1e-3
"""SuperPoint-Open was trained in TensorFlow, whose default this is."""
RED, GREEN, BLUE = 0.299, 0.587, 0.114
"""Weights of the channels in gray (ITU-R BT.601)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperPointShape:
    """What the tensors of a checkpoint say about its network; the defaults are the paper's.

    Attributes:
        widths: channels of the encoder at full size, 1/2, 1/4 and 1/8.
        head_width: channels inside both heads.
        dim: of the descriptors.
        batch_norm: SuperPoint-Open.
    """

    widths: tuple[int, int, int, int] = (64, 64, 128, 128)
    head_width: int = 256
    dim: int = 256
    batch_norm: bool = False


class SuperPoint(nn.Module):
    """Images in, keypoints at whole pixels, scores and descriptors out."""

    stride, nms_radius = CELL, RADIUS
    bytes_per_pixel = 230
    """Memory that one image takes, measured with the published sizes at 3 to 12 megapixels."""

    def __init__(self, shape: SuperPointShape) -> None:
        super().__init__()
        self.shape = shape
        w1, w2, w3, w4 = shape.widths
        head, batch_norm = shape.head_width, shape.batch_norm
        self.conv1a = FirstLayer(1, w1, 3, batch_norm=batch_norm)
        self.conv1b = Layer(w1, w1, 3, batch_norm=batch_norm)
        self.conv2a = Layer(w1, w2, 3, batch_norm=batch_norm)
        self.conv2b = Layer(w2, w2, 3, batch_norm=batch_norm)
        self.conv3a = Layer(w2, w3, 3, batch_norm=batch_norm)
        self.conv3b = Layer(w3, w3, 3, batch_norm=batch_norm)
        self.conv4a = Layer(w3, w4, 3, batch_norm=batch_norm)
        self.conv4b = Layer(w4, w4, 3, batch_norm=batch_norm)
        self.convPa = Layer(w4, head, 3, batch_norm=batch_norm)
        self.convPb = Layer(head, CELL * CELL + 1, 1, batch_norm=batch_norm, relu=False)
        self.convDa = Layer(w4, head, 3, batch_norm=batch_norm)
        self.convDb = Layer(head, shape.dim, 1, batch_norm=batch_norm, relu=False)

    @property
    def descriptor_dim(self) -> int:
        """Columns of the descriptors."""
        return self.shape.dim

    def forward(
        self,
        images: Float[Tensor, "b c h w"],
        *,
        max_keypoints: int | None = None,
        detection_threshold: float = 0.005,
        strict_border: bool = True,
        nms_radius: int = RADIUS,
        border: int = RADIUS,
        masks: Bool[Tensor, "b h w"] | None = None,
    ) -> list[Detection]:
        """Find and describe keypoints.

        Args:
            images: gray or RGB in [0, 1], of any size; a blank image has no keypoints, nor has one with a side
                below 8 px. RGB becomes gray; of three equal channels that is the first, bit for bit.
            max_keypoints: the strongest so many; None keeps every local maximum.
            detection_threshold: only keypoints that score more than this, in [0, 1].
            strict_border: False keeps keypoints near the right and the bottom border, as transformers does.
            nms_radius: no two keypoints are this close or closer in both x and y, in px, but those that score
                the same.
            border: without keypoints at each side, in px; at right and bottom counted from the last multiple
                of 8 px.
            masks: True where keypoints may lie; None: everywhere.

        Returns:
            One detection an image, in float32 also where the network runs in half precision.

        Raises:
            InvalidInput: images of other than 1 or 3 channels; a negative max_keypoints, nms_radius or border.
        """
        scores, descriptors = self.dense_maps(images)
        return [
            self.detect(
                *maps,
                max_keypoints=max_keypoints,
                detection_threshold=detection_threshold,
                strict_border=strict_border,
                nms_radius=nms_radius,
                border=border,
                mask=mask,
            )
            for *maps, mask in zip(scores, descriptors, one_by_one(masks, len(scores)), strict=True)
        ]

    def grid_origin(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """(x, y) in px: where a tile of such an image may begin, as may every `stride` px from there."""
        return 0, 0

    def context_of(self, parts: Iterable[tuple[Tensor, Tile]]) -> None:
        """A pixel depends on its neighborhood alone."""
        return

    def dense_maps(
        self, images: Float[Tensor, "b c h w"], window: Tile | None = None
    ) -> tuple[Float[Tensor, "b H W"], Float[Tensor, "b d y x"]]:
        """What `detect` works on: scores in [0, 1], and unit descriptors of cells of 8 x 8 px.

        Both reach from the top-left corner to the last multiple of 8 px; what lies beyond gets no score.

        Args:
            images: gray or RGB in [0, 1].
            window: where these lie in a larger image that is not blank.
        """
        height, width = (side // CELL for side in images.shape[-2:])
        if height == 0 or width == 0:
            empty = images.new_zeros(len(images), height * CELL, width * CELL)
            return empty, images.new_zeros(len(images), self.shape.dim, height, width)
        gray = to_gray(images)
        features = self.encode(gray.to(self.conv1a.weight.dtype))
        scores = self.score_map(features)
        if window is None:
            scores = scores * has_contrast(gray)[:, None, None]
        descriptors = self.convDb(self.convDa(features))
        return scores, F.normalize(_at_least_float32(descriptors), dim=1)

    def detect(
        self,
        scores: Float[Tensor, "H W"],
        descriptors: Float[Tensor, "d y x"],
        *,
        max_keypoints: int | None = None,
        detection_threshold: float = 0.005,
        strict_border: bool = True,
        nms_radius: int = RADIUS,
        border: int = RADIUS,
        mask: Bool[Tensor, "h w"] | None = None,
    ) -> Detection:
        """Choose and describe the keypoints of one image, where its mask is True; None: everywhere."""
        maxima = self.suppress(
            masked(scores, mask), strict_border=strict_border, nms_radius=nms_radius, border=border
        )
        pixels = strongest(maxima, max_keypoints, detection_threshold)
        return self.keypoints_at(pixels, scores, descriptors, mask=mask)

    def suppress(
        self,
        scores: Float[Tensor, "H W"],
        *,
        strict_border: bool = True,
        nms_radius: int = RADIUS,
        border: int = RADIUS,
    ) -> Float[Tensor, "H W"]:
        """The scores of pixels that may be keypoints; zero at all others."""
        _check_not_negative(nms_radius=nms_radius, border=border)
        remove = remove_border if strict_border else _remove_left_and_top
        return remove(simple_nms(scores.detach(), nms_radius), border)

    def keypoints_at(
        self,
        pixels: Int[Tensor, "n"],
        scores: Float[Tensor, "H W"],
        descriptors: Float[Tensor, "d y x"],
        *,
        mask: Bool[Tensor, "h w"] | None = None,
        window: Tile | None = None,
    ) -> Detection:
        """What is known of these pixels, given by raster index; the mask changes nothing here."""
        keypoints = positions_of(pixels, scores.shape[-1]).to(scores.dtype)
        return Detection(keypoints, scores.flatten()[pixels], self.describe(descriptors, keypoints, window))

    def encode(self, gray: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c y x"]:
        """The features that both heads see, one place for 8 x 8 px."""
        maps = self._first_stage(gray)
        maps = F.max_pool2d(self.conv2b(self.conv2a(maps)), 2)
        maps = F.max_pool2d(self.conv3b(self.conv3a(maps)), 2)
        return self.conv4b(self.conv4a(maps))

    def score_map(self, features: Float[Tensor, "b c y x"]) -> Float[Tensor, "b H W"]:
        """How much each pixel looks like a keypoint, in (0, 1)."""
        logits = _at_least_float32(self.convPb(self.convPa(features)))
        # the last of 65 says "no keypoint in this cell"
        return F.pixel_shuffle(logits.softmax(dim=1)[:, :-1], CELL).squeeze(1)

    def describe(
        self,
        descriptors: Float[Tensor, "d y x"],
        keypoints: Float[Tensor, "n 2"],
        window: Tile | None = None,
    ) -> Float[Tensor, "n d"]:
        """Unit descriptors of keypoints (x, y) in px, interpolated between those of the cells.

        Args:
            descriptors: unit vectors of the cells.
            keypoints: (x, y) in px of what the network was shown.
            window: where that lies in the image; None: it was the whole image.
        """
        height, width = descriptors.shape[-2:]
        left, top, image_size = window[:3] if window else (0, 0, (CELL * width, CELL * height))
        corner = keypoints.new_tensor([left, top])
        positions = self._cell_positions(keypoints + corner, image_size) - corner / CELL
        return F.normalize(sample_bilinear(rows_of(descriptors), positions, width, height), dim=1)

    def _cell_positions(
        self, keypoints: Float[Tensor, "n 2"], image_size: tuple[int, int]
    ) -> Float[Tensor, "n 2"]:
        """Positions (x, y) on the map of the cells of the whole image."""
        positions = keypoints - (CELL - 1) / 2
        if self.shape.batch_norm:
            return positions / CELL
        # as published: stretched a little, so that the last pixel meets the last cell's center
        cells = keypoints.new_tensor([side // CELL for side in image_size])
        return positions * ((cells - 1) / (CELL * cells - (CELL + 1) / 2))

    def _first_stage(self, gray: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c y x"]:
        if self.training or gray.device.type != "cpu":  # batch norm learns from whole images
            return self._halve(gray)
        return torch.cat([_halve_in_strips(self._halve, image) for image in gray.split(1)])

    def _halve(self, gray: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c y x"]:
        return F.max_pool2d(self.conv1b(self.conv1a(gray)), 2)


class Layer(nn.Conv2d):
    """Convolution, ReLU and, in SuperPoint-Open, batch norm; keeps the size of its maps."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, *, batch_norm: bool, relu: bool = True
    ) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2)
        self.relu = relu
        self.bn = nn.BatchNorm2d(channels_out, eps=BATCH_NORM_EPSILON) if batch_norm else nn.Identity()

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:  # noqa: A002, as in nn.Conv2d
        maps = self.convolve(input)
        return self.bn(maps.relu_() if self.relu else maps)

    def convolve(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """The convolution alone."""
        return super().forward(maps)


class FirstLayer(Layer):
    """A `Layer` for one channel: convolution routines waste most of their work there, a matrix product does not."""

    def convolve(self, maps: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b d h w"]:
        patches = F.unfold(maps, self.kernel_size, padding=1).transpose(1, 2).flatten(0, 1)
        pixels = F.linear(patches, self.weight.flatten(1), self.bias)
        # channels last in memory, and so are all maps that follow
        return pixels.unflatten(0, (len(maps), *maps.shape[-2:])).permute(0, 3, 1, 2)


def to_gray(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h w"]:
    """Luma of RGB images; images of one channel as they are.

    Written as differences from red: the result for three equal channels is exactly one of them.
    """
    if images.shape[1] == 1:
        return images
    if images.shape[1] != 3:
        raise InvalidInput(
            f"SuperPoint takes images of 1 or 3 channels, (b, 1 or 3, h, w), but got {tuple(images.shape)}; "
            "drop an alpha channel with images[:, :3]"
        )
    red, green, blue = images.split(1, dim=1)
    return red + GREEN * (green - red) + BLUE * (blue - red)


def _halve_in_strips(
    halve: Callable[[Tensor], Tensor], maps: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b d y x"]:
    """`halve(maps)` strip by strip: the same numbers, without full-size maps in between (see `strips`).

    Args:
        halve: two 3x3 convolutions, then a pooling that makes one row of two; an odd last row is lost in it,
            though the convolutions see it.
    """
    height = maps.shape[-2] // 2
    rows = max(STRIP_PIXELS // (2 * maps.shape[-1]), 1)
    strips = []
    for top in range(0, height, rows):
        # rows near a cut see a border where the map goes on: one row more at both ends is made and thrown away
        first, bottom = max(top - 1, 0), min(top + rows, height)
        strip = halve(maps[..., 2 * first : 2 * (bottom + 1), :])
        strips.append(strip[..., top - first : bottom - first, :])
    return torch.cat(strips, dim=-2)


def _remove_left_and_top(scores: Float[Tensor, "H W"], width: int) -> Float[Tensor, "H W"]:
    kept = scores.clone()
    kept[:width] = 0
    kept[:, :width] = 0
    return kept


def _at_least_float32(values: Tensor) -> Tensor:
    """Half precision can't tell neighboring scores apart, nor hold positions above 256 or 2048 px."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _check_not_negative(**pixels: int) -> None:
    for name, value in pixels.items():
        if value < 0:
            raise InvalidInput(f"{name} must be 0 px or more, but is {value}")
