"""DeDoDe: descriptors of given keypoints, from a decoder over a VGG (B) or over a VGG and DINOv2 (G).

Source: J. Edstedt et al., "DeDoDe: Detect, Don't Describe - Describe, Don't Detect for Local Feature Matching", 3DV 2024
(arXiv 2308.08479); LoMa's files contain descriptors of the same architecture. Parameter names are those of the published
checkpoints.

Images are described at one size, whatever their own: the published networks were trained and evaluated so. The map of
descriptors, of 256 channels at full size, is never computed: its finest part is a matrix product per pixel, which is
evaluated where keypoints are, and so is the interpolation of the coarser part (`DescriptionMap`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from jaxtyping import Float
from torch import Tensor, nn

from tiepoint.models.dedode.dinov2 import DINOv2, DINOv2Sizes
from tiepoint.models.dedode.network import VGG, VGG19, Decoder, Sizes
from tiepoint.models.dedode.resize import ResizeMatrices, resize
from tiepoint.models.descriptor import Descriptor
from tiepoint.models.keypoints import bilinear_corners, flatten_spatial, weighted_row_sum
from tiepoint.models.precision import at_least_float32, network_dtype, normalize_rows
from tiepoint.models.softmax_detector import normalize_imagenet
from tiepoint.models.tile import Tile

DESCRIPTION_SIZE = (784, 784)
"""Size (width, height) in px at which the authors describe images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeDoDeConfig:
    """Sizes and conventions of a network.

    Attributes:
        sizes: Sizes of encoder and decoder.
        dim: Descriptor dimension.
        dinov2: Sizes of DINOv2, the coarsest level of the encoder; None leaves it out.
        dinov2_hidden: Channels of the refiner of DINOv2's features.
        image_size: Size (width, height) in px that images are resized to, whatever their aspect ratio.
        normalize_images: Whether images are normalized by ImageNet's statistics. LoMa's are not.
        unit_length: Whether descriptors are normalized. LoMa's are not.
    """

    sizes: Sizes = field(default_factory=lambda: Sizes(encoder=VGG19, blocks=5))
    dim: int = 256
    dinov2: DINOv2Sizes | None = None
    dinov2_hidden: int = 768
    image_size: tuple[int, int] = DESCRIPTION_SIZE
    normalize_images: bool = True
    unit_length: bool = True


class EncoderG(nn.Module):
    """VGG and DINOv2, as DeDoDe-G names them."""

    def __init__(self, sizes: Sizes, dinov2: DINOv2Sizes) -> None:
        super().__init__()
        self.vgg = VGG(sizes.encoder)
        self.frozen_dinov2 = nn.Module()
        self.frozen_dinov2.dinov2_vitl14 = DINOv2(dinov2)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _c _h _w"]]:
        """Return the maps of all levels, fine to coarse, the last by DINOv2."""
        return [*self.vgg(images), self.frozen_dinov2.get_submodule("dinov2_vitl14")(images)]


class DeDoDe(Descriptor):
    """Images and keypoints in, descriptors out."""

    bytes_per_pixel = 1
    """Images are described at a fixed size; a resized copy of a tile is all that grows with them."""

    def __init__(self, config: DeDoDeConfig) -> None:
        super().__init__()
        self.config = config
        coarsest = None
        self.encoder: nn.Module
        if config.dinov2 is None:
            self.encoder = VGG(config.sizes.encoder)
        else:
            self.encoder = EncoderG(config.sizes, config.dinov2)
            coarsest = ("14", config.dinov2.dim, config.dinov2_hidden)
        self.decoder = Decoder(config.sizes, config.dim, coarsest)

    @property
    def descriptor_dim(self) -> int:
        """Descriptor dimension."""
        return self.config.dim

    def feature_maps(
        self, images: Float[Tensor, "b 3 h w"], tile: Tile | None = None
    ) -> list["DescriptionMap"]:
        """Compute the descriptions of each image.

        Args:
            images: RGB images in [0, 1], shape (b, 3, h, w).
            tile: Position of the images in a larger image, whose descriptions are the tile's context.
        """
        if tile is not None and tile.context is not None:
            return [replace(tile.context, offset=(tile.left, tile.top))] * len(images)
        height, width = images.shape[-2:]
        return self._describe(resize(images, self.config.image_size), (width, height))

    def global_context(self, parts: Iterable[tuple[Float[Tensor, "1 3 h w"], Tile]]) -> "DescriptionMap":
        """Return the descriptions of the whole image.

        Args:
            parts: Crops, shape (1, 3, h, w), and positions of all tiles.
        """
        resized, image_size = None, (1, 1)
        for crop, tile in parts:
            image_size = tile.image_size
            part = ResizeMatrices.build(image_size, self.config.image_size, crop.device).of_part(crop, tile)
            resized = part if resized is None else resized + part
        assert resized is not None, "an image has at least one tile"
        return self._describe(resized, image_size)[0]

    def describe_at(
        self, features: "DescriptionMap", keypoints: Float[Tensor, "n 2"], shape: tuple[int, int]
    ) -> Float[Tensor, "n d"]:
        """Describe an image at given keypoints, which may be between pixels.

        Args:
            features: Descriptions of the image.
            keypoints: Positions (x, y) in px, shape (n, 2).
            shape: Not used.
        """
        descriptors = features.at(keypoints)
        return normalize_rows(descriptors) if self.config.unit_length else descriptors

    def _describe(
        self, images: Float[Tensor, "b 3 h w"], image_size: tuple[int, int]
    ) -> list["DescriptionMap"]:
        """Compute the descriptions of images of the right size, whose keypoints are in px of another size."""
        if self.config.normalize_images:
            images = normalize_imagenet(images)
        coarse, hidden = self.decoder(self.encoder(images.to(network_dtype(self)))[::-1], "bilinear")
        weight, bias = self.decoder.last_conv
        return [
            DescriptionMap(
                hidden=flatten_spatial(fine),
                coarse=flatten_spatial(half),
                size=(fine.shape[2], fine.shape[1]),
                coarse_size=(half.shape[2], half.shape[1]),
                weight=weight,
                bias=bias,
                image_size=image_size,
            )
            for fine, half in zip(hidden, coarse, strict=True)
        ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DescriptionMap:
    """Descriptions of one image, evaluated only at the requested positions.

    Attributes:
        hidden: Input of the last convolution, one row per pixel in raster order, shape (h w, c).
        coarse: Output of the coarser levels, one row per pixel, shape (H W, d).
        size: Size (w, h) of `hidden`.
        coarse_size: Size (W, H) of `coarse`.
        weight: Weight of the last convolution, shape (d, c).
        bias: Bias of the last convolution, shape (d,).
        image_size: Size (width, height) of the whole image in px.
        offset: Position (x, y) in px at which the coordinates of keypoints start: that of a tile in the whole image.
    """

    hidden: Float[Tensor, "p c"]
    coarse: Float[Tensor, "q d"]
    size: tuple[int, int]
    coarse_size: tuple[int, int]
    weight: Float[Tensor, "d c"]
    bias: Float[Tensor, "d"]
    image_size: tuple[int, int]
    offset: tuple[int, int] = (0, 0)

    def at(self, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n d"]:
        """Interpolate the descriptions bilinearly; they are zero outside of the image.

        Args:
            keypoints: Positions (x, y) in px, shape (n, 2).
        """
        x, y = (
            (axis + start + 0.5) * side / image_side - 0.5
            for axis, start, side, image_side in zip(
                keypoints.unbind(1), self.offset, self.size, self.image_size, strict=True
            )
        )
        pixels, weights = bilinear_corners(x, y, *self.size)
        fine = weighted_row_sum(self.hidden, pixels, weights) @ self.weight.T
        fine = fine + weights.sum(dim=1, keepdim=True).to(fine.dtype) * self.bias
        return at_least_float32(fine + weighted_row_sum(self.coarse, *self._coarse_corners(pixels, weights)))

    def _coarse_corners(self, pixels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pixels of the coarser levels that these pixels are interpolated from, and their weights.

        Args:
            pixels: Raster indices, shape (n, 4).
            weights: Weights of the pixels, shape (n, 4).

        Returns:
            Raster indices and weights, both of shape (n, 16).
        """
        width = self.size[0]
        columns, rows = pixels.flatten() % width, pixels.flatten().div(width, rounding_mode="floor")
        x, y = (
            ((axis.to(weights.dtype) + 0.5) * coarse / fine - 0.5).clamp(0, coarse - 1)
            for axis, coarse, fine in zip((columns, rows), self.coarse_size, self.size, strict=True)
        )
        corners, corner_weights = bilinear_corners(x, y, *self.coarse_size)
        products = corner_weights * weights.flatten()[:, None]
        return corners.view(-1, 16), products.view(-1, 16)
