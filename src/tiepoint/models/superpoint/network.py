"""SuperPoint: one encoder and two heads that detect and describe keypoints, trained by self-supervision.

Source: D. DeTone, T. Malisiewicz, A. Rabinovich, "SuperPoint: Self-Supervised Interest Point Detection and
Description", CVPR workshops 2018, arXiv 1712.07629. Parameter names are those of the original checkpoint;
`superpoint.checkpoint` maps the others to them. There are two variants:

- the original, as in cvg/LightGlue and transformers;
- SuperPoint-Open, retrained under a free license (R. Pautrat, P.-E. Sarlin, github.com/rpautrat/SuperPoint): batch
  norm after each ReLU, and descriptors sampled at different positions.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.models.detector import Detector
from tiepoint.models.keypoints import (
    Detection,
    flatten_spatial,
    has_contrast,
    pixel_coordinates,
    remove_border,
    sample_bilinear,
    simple_nms,
)
from tiepoint.models.precision import at_least_float32, network_dtype
from tiepoint.models.row_chunks import CHUNK_PIXELS
from tiepoint.models.tile import Tile
from tiepoint.models.tracing import is_tracing

CELL = 8
"""Side in px of the cells of the coarse maps."""
MIN_LEVELS = 2
"""Minimum number of levels of the encoder."""
RADIUS = 4
"""Radius of non-maximum suppression, and width of the border without keypoints, in px."""
BATCH_NORM_EPSILON = 1e-3
"""Default of TensorFlow, in which SuperPoint-Open was trained."""
RED, GREEN, BLUE = 0.299, 0.587, 0.114
"""Luma weights of the channels (ITU-R BT.601)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperPointShape:
    """Sizes of the network; the defaults are those of the paper.

    Attributes:
        widths: Channels of the encoder at full size, 1/2, 1/4 and 1/8; transformers also builds networks with other
            numbers of levels, from 2.
        head_width: Hidden channels of both heads.
        dim: Descriptor dimension.
        batch_norm: Use the SuperPoint-Open variant.
    """

    widths: tuple[int, ...] = (64, 64, 128, 128)
    head_width: int = 256
    dim: int = 256
    batch_norm: bool = False

    def __post_init__(self) -> None:
        if len(self.widths) < MIN_LEVELS:
            raise InvalidInput(f"SuperPoint's encoder needs at least {MIN_LEVELS} levels, got {self.widths}")

    @property
    def levels(self) -> int:
        """Number of levels of the encoder."""
        return len(self.widths)

    @property
    def stride(self) -> int:
        """Side in image px of the cells of the coarse maps; each has 8 x 8 scores, whatever its side."""
        return 2 ** (self.levels - 1)


class SuperPoint(Detector):
    """Images in, keypoints at integer pixels, scores in [0, 1] and descriptors out.

    Tiles have no global context: a pixel depends on its neighborhood only.
    """

    nms_radius = RADIUS
    bytes_per_pixel = 230  # published sizes at 3 to 12 megapixels

    def __init__(self, shape: SuperPointShape) -> None:
        super().__init__()
        self.shape = shape
        self.stride = shape.stride
        head, batch_norm = shape.head_width, shape.batch_norm
        self.conv1a = FirstLayer(1, shape.widths[0], 3, batch_norm=batch_norm)
        self.conv1b = Layer(shape.widths[0], shape.widths[0], 3, batch_norm=batch_norm)
        for level, (width_in, width) in enumerate(pairwise(shape.widths), start=2):
            self.add_module(f"conv{level}a", Layer(width_in, width, 3, batch_norm=batch_norm))
            self.add_module(f"conv{level}b", Layer(width, width, 3, batch_norm=batch_norm))
        self.convPa = Layer(shape.widths[-1], head, 3, batch_norm=batch_norm)
        self.convPb = Layer(head, CELL * CELL + 1, 1, batch_norm=batch_norm, relu=False)
        self.convDa = Layer(shape.widths[-1], head, 3, batch_norm=batch_norm)
        self.convDb = Layer(head, shape.dim, 1, batch_norm=batch_norm, relu=False)

    @property
    def descriptor_dim(self) -> int:
        """Descriptor dimension."""
        return self.shape.dim

    def forward(
        self,
        images: Float[Tensor, "b c h w"],
        *,
        max_keypoints: int | None = None,
        detection_threshold: float = 0.005,
        masks: Bool[Tensor, "b h w"] | None = None,
        strict_border: bool = True,
        nms_radius: int = RADIUS,
        border: int = RADIUS,
    ) -> list[Detection]:
        """Detect and describe keypoints.

        Args:
            images: Gray or RGB images in [0, 1] of any size, shape (b, 1 or 3, h, w); blank images and images with a
                side below 8 px have no keypoints. RGB is converted to gray, exactly if the channels are equal.
            max_keypoints: Maximum number of keypoints per image, highest scores first; None keeps all.
            detection_threshold: Minimum score (exclusive), in [0, 1].
            masks: Masks, shape (b, h, w), True where keypoints are allowed; None allows them everywhere.
            strict_border: Remove the border on all sides; False keeps keypoints near the right and bottom border, as
                transformers does.
            nms_radius: Radius of non-maximum suppression in px; only keypoints with equal scores may be closer.
            border: Width of the border without keypoints in px; right and bottom are counted from the last multiple
                of 8 px.

        Returns:
            One detection per image; float32 even if the network runs in half precision.

        Raises:
            InvalidInput: If images do not have 1 or 3 channels, or max_keypoints, nms_radius or border is negative.
        """
        suppress = partial(
            self.suppress_non_maxima, strict_border=strict_border, nms_radius=nms_radius, border=border
        )
        return self._detect_images(images, masks, suppress, max_keypoints, detection_threshold)

    def dense_maps(
        self, images: Float[Tensor, "b c h w"], tile: Tile | None = None
    ) -> tuple[Float[Tensor, "b H W"], Float[Tensor, "b d y x"]]:
        """Compute the score map and the descriptors of the 8 x 8 px cells.

        Both cover the image from the top-left corner to the last multiple of 8 px; the rest has no keypoints. With
        another number of levels the cells have another side, and the 8 x 8 scores of a cell are not pixels.

        Args:
            images: Gray or RGB images in [0, 1], shape (b, 1 or 3, h, w).
            tile: Position of the images in a larger image that is not blank.

        Returns:
            Scores in [0, 1], shape (b, H, W), and unit descriptors, shape (b, d, H / 8, W / 8).

        Raises:
            InvalidInput: If images do not have 1 or 3 channels.
        """
        height, width = (side // self.shape.stride for side in images.shape[-2:])
        if height == 0 or width == 0:
            empty = at_least_float32(images.new_zeros(len(images), height * CELL, width * CELL))
            return empty, empty.new_zeros(len(images), self.shape.dim, height, width)
        gray = to_gray(images)
        features = self.encode(gray.to(network_dtype(self)))
        scores = self.score_map(features)
        if tile is None:
            scores = scores * has_contrast(gray)[:, None, None]
        descriptors = self.convDb(self.convDa(features))
        return scores, F.normalize(at_least_float32(descriptors), dim=1)

    def suppress_non_maxima(
        self,
        scores: Float[Tensor, "H W"],
        *,
        strict_border: bool = True,
        nms_radius: int = RADIUS,
        border: int = RADIUS,
    ) -> Float[Tensor, "H W"]:
        """Return the scores of keypoint candidates, and zero at all other pixels.

        Args:
            scores: Score map, shape (H, W).
            strict_border: Remove the border on all sides; False keeps it at the right and the bottom.
            nms_radius: Radius of non-maximum suppression in px.
            border: Width of the border without keypoints in px.

        Raises:
            InvalidInput: If nms_radius or border is negative.
        """
        _check_not_negative(nms_radius=nms_radius, border=border)
        remove = remove_border if strict_border else _remove_left_and_top_border
        return remove(simple_nms(scores.detach(), nms_radius), border)

    def keypoints_at(
        self,
        pixels: Int[Tensor, "n"],
        scores: Float[Tensor, "h w"],
        features: Float[Tensor, "d y x"],
        *,
        mask: Bool[Tensor, "H W"] | None = None,
        tile: Tile | None = None,
    ) -> Detection:
        """Describe keypoints at given pixels.

        Args:
            pixels: Raster indices into the score map, shape (n,).
            scores: Score map of the image before suppression, shape (h, w).
            features: Unit descriptors of the cells, shape (d, h / 8, w / 8).
            mask: Not used; keypoints stay at their pixels.
            tile: Position of the image in a larger image; None if it is a whole image.
        """
        keypoints = pixel_coordinates(pixels, scores.shape[-1]).to(scores.dtype)
        descriptors = self.describe(features, keypoints, tile)
        return Detection(self._to_image(keypoints), scores.flatten()[pixels], descriptors)

    def describe_at(
        self, features: Float[Tensor, "d y x"], keypoints: Float[Tensor, "n 2"], shape: tuple[int, int]
    ) -> Float[Tensor, "n d"]:
        """Describe an image at given keypoints, which may be between pixels.

        Args:
            features: Unit descriptors of the cells, shape (d, y, x).
            keypoints: Positions (x, y) in px, shape (n, 2).
            shape: Not used.
        """
        return self.describe(features, self._to_score_map(keypoints))

    def encode(self, gray: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c y x"]:
        """Compute the features that both heads share, shape (b, 1, h, w) to (b, c, h / 8, w / 8)."""
        *_, maps = self.encoder_levels(gray)
        return maps

    def encoder_levels(self, gray: Float[Tensor, "b 1 h w"]) -> Iterator[Float[Tensor, "b c y x"]]:
        """Yield the output of each level of the encoder; all but the last are pooled to half their size."""
        yield (maps := self._first_stage(gray))
        for level in range(2, self.shape.levels + 1):
            maps = self.get_submodule(f"conv{level}b")(self.get_submodule(f"conv{level}a")(maps))
            yield (maps := F.max_pool2d(maps, 2) if level < self.shape.levels else maps)

    def score_map(self, features: Float[Tensor, "b c y x"]) -> Float[Tensor, "b H W"]:
        """Compute the detection scores in (0, 1), shape (b, c, h / 8, w / 8) to (b, h, w)."""
        logits = at_least_float32(self.convPb(self.convPa(features)))
        # the last of the 65 channels means "no keypoint in this cell"
        return F.pixel_shuffle(logits.softmax(dim=1)[:, :-1], CELL).squeeze(1)

    def describe(
        self,
        descriptors: Float[Tensor, "d y x"],
        keypoints: Float[Tensor, "n 2"],
        tile: Tile | None = None,
    ) -> Float[Tensor, "n d"]:
        """Interpolate the descriptors of the cells at keypoints.

        Args:
            descriptors: Unit descriptors of the cells, shape (d, y, x).
            keypoints: Positions (x, y) in px of the network's input, shape (n, 2).
            tile: Position of the input in a larger image; None if it is a whole image.

        Returns:
            Unit descriptors, shape (n, d).
        """
        height, width = descriptors.shape[-2:]
        left, top, image_size = tile[:3] if tile else (0, 0, (CELL * width, CELL * height))
        offset = keypoints.new_tensor([left, top])
        positions = self._cell_positions(keypoints + offset, image_size) - offset / CELL
        return F.normalize(sample_bilinear(flatten_spatial(descriptors), positions, width, height), dim=1)

    def _cell_positions(
        self, keypoints: Float[Tensor, "n 2"], image_size: tuple[int, int]
    ) -> Float[Tensor, "n 2"]:
        """Map positions (x, y) in px of the whole image to its map of cells."""
        positions = keypoints - (CELL - 1) / 2
        if self.shape.batch_norm:
            return positions / CELL
        # as published: slightly stretched, so that the last pixel maps to the center of the last cell
        cells = keypoints.new_tensor([side // CELL for side in image_size])
        return positions * ((cells - 1) / (CELL * cells - (CELL + 1) / 2))

    def _to_image(self, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Map positions (x, y) in px of the score map to px of the image."""
        if self.shape.stride == CELL:
            return keypoints
        return (keypoints + 0.5) * (self.shape.stride / CELL) - 0.5

    def _to_score_map(self, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Map positions (x, y) in px of the image to px of the score map; the inverse of `_to_image`."""
        if self.shape.stride == CELL:
            return keypoints
        return (keypoints + 0.5) * (CELL / self.shape.stride) - 0.5

    def _first_stage(self, gray: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c y x"]:
        if (
            self.training or is_tracing() or gray.device.type != "cpu"
        ):  # batch norm needs statistics of whole images
            return self._halve(gray)
        return torch.cat([_halve_in_row_chunks(self._halve, image) for image in gray.split(1)])

    def _halve(self, gray: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c y x"]:
        return F.max_pool2d(self.conv1b(self.conv1a(gray)), 2)


class Layer(nn.Conv2d):
    """Convolution, ReLU and, in SuperPoint-Open, batch norm; keeps the spatial size."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, *, batch_norm: bool, relu: bool = True
    ) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2)
        self.relu = relu
        self.bn = nn.BatchNorm2d(channels_out, eps=BATCH_NORM_EPSILON) if batch_norm else nn.Identity()

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:  # noqa: A002, as in nn.Conv2d
        """Map shape (b, c, h, w) to shape (b, d, h, w)."""
        maps = self.convolve(input)
        return self.bn(maps.relu_() if self.relu else maps)

    def convolve(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Apply only the convolution, shape (b, c, h, w) to (b, d, h, w)."""
        return super().forward(maps)


class FirstLayer(Layer):
    """`Layer` for one input channel as a matrix product; convolution routines are inefficient there."""

    def convolve(self, maps: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b d h w"]:
        """Apply only the convolution, shape (b, 1, h, w) to (b, d, h, w)."""
        patches = F.unfold(maps, self.kernel_size, padding=1).transpose(1, 2).flatten(0, 1)
        pixels = F.linear(patches, self.weight.flatten(1), self.bias)
        # channels-last memory format, which all following maps inherit
        return pixels.unflatten(0, (len(maps), *maps.shape[-2:])).permute(0, 3, 1, 2)


def to_gray(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h w"]:
    """Convert RGB images to luma; images with one channel are returned unchanged.

    The formula uses differences from red, so that three equal channels give exactly that channel.

    Args:
        images: Images, shape (b, 1 or 3, h, w).

    Raises:
        InvalidInput: If images do not have 1 or 3 channels.
    """
    if images.shape[1] == 1:
        return images
    if images.shape[1] != 3:
        raise InvalidInput(
            f"SuperPoint expected images with 1 or 3 channels, shape (b, 1 or 3, h, w), got {tuple(images.shape)}; "
            "drop an alpha channel with images[:, :3]"
        )
    red, green, blue = images.split(1, dim=1)
    return red + GREEN * (green - red) + BLUE * (blue - red)


def _halve_in_row_chunks(
    halve: Callable[[Tensor], Tensor], maps: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b d y x"]:
    """Compute `halve(maps)` in chunks of rows, without full-size intermediate maps (see `row_chunks`).

    Args:
        halve: Two 3x3 convolutions and a 2x2 pooling; an odd last row is dropped by the pooling, but is an input of
            the convolutions.
        maps: Maps, shape (b, c, h, w).
    """
    height = maps.shape[-2] // 2
    rows = max(CHUNK_PIXELS // (2 * maps.shape[-1]), 1)
    chunks = []
    for top in range(0, height, rows):
        # output rows near a cut are wrong because the input was padded there: one more row is computed and dropped
        first, bottom = max(top - 1, 0), min(top + rows, height)
        chunk = halve(maps[..., 2 * first : 2 * (bottom + 1), :])
        chunks.append(chunk[..., top - first : bottom - first, :])
    return torch.cat(chunks, dim=-2)


def _remove_left_and_top_border(scores: Float[Tensor, "H W"], width: int) -> Float[Tensor, "H W"]:
    kept = scores.clone()
    kept[:width] = 0
    kept[:, :width] = 0
    return kept


def _check_not_negative(**pixels: int) -> None:
    for name, value in pixels.items():
        if value < 0:
            raise InvalidInput(f"{name} must be at least 0 px, got {value}")
