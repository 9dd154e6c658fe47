"""The pair of a network that detects keypoints and another that describes them."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from tiepoint.models.descriptor import Descriptor
from tiepoint.models.detector import Detector
from tiepoint.models.keypoints import Detection
from tiepoint.models.tile import Tile


class BothFeatures(NamedTuple):
    """Dense features of one image: of the detector, and of the descriptor."""

    detector: Any
    descriptor: Any


class DescribedDetector(Detector):
    """Keypoints of one network, described by another.

    Args:
        detector: Network that detects.
        descriptor: Network that describes.
    """

    def __init__(self, detector: Detector, descriptor: Descriptor) -> None:
        super().__init__()
        self.detector, self.descriptor = detector, descriptor
        self.stride, self.nms_radius = detector.stride, detector.nms_radius
        self.size_multiple = detector.size_multiple
        self.bytes_per_pixel = max(detector.bytes_per_pixel, self.descriptor.bytes_per_pixel)

    @property
    def descriptor_dim(self) -> int:
        """Descriptor dimension."""
        return self.descriptor.descriptor_dim

    def dense_maps(
        self, images: Float[Tensor, "b 3 h w"], tile: Tile | None = None
    ) -> tuple[Float[Tensor, "b h w"], list[BothFeatures]]:
        """Compute the dense maps of both networks.

        Args:
            images: RGB images in [0, 1], shape (b, 3, h, w).
            tile: Position of the images in a larger image that is not blank.

        Returns:
            Score maps, shape (b, h, w), and the features of both networks per image.
        """
        first, second = (tile, tile) if tile is None else _split_context(tile)
        scores, detected = self.detector.dense_maps(images, first)
        described = self.descriptor.feature_maps(images, second)
        return scores, [BothFeatures(*both) for both in zip(detected, described, strict=True)]

    def suppress_non_maxima(self, scores: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
        """Return the scores of keypoint candidates, and zero at all other pixels; shape (h, w)."""
        return self.detector.suppress_non_maxima(scores)

    def rank(
        self, pixels: Int[Tensor, "n"], scores: Float[Tensor, "h w"], features: BothFeatures
    ) -> Float[Tensor, "n"]:
        """Return the scores by which the detector ranks keypoints.

        Args:
            pixels: Raster indices of the keypoints, shape (n,).
            scores: Score map of the image, shape (h, w).
            features: Features of the image.
        """
        return self.detector.rank(pixels, scores, features.detector)

    def keypoints_at(
        self,
        pixels: Int[Tensor, "n"],
        scores: Float[Tensor, "h w"],
        features: BothFeatures,
        *,
        mask: Bool[Tensor, "H W"] | None = None,
        tile: Tile | None = None,
    ) -> Detection:
        """Refine keypoints with the detector, and describe them with the descriptor.

        Args:
            pixels: Raster indices into the score map, shape (n,).
            scores: Score map of the image before suppression, shape (h, w).
            features: Features of the image.
            mask: Mask, shape (H, W), that refined positions stay in; None means no mask.
            tile: Position of the image in a larger image; None if it is a whole image.
        """
        found = self.detector.keypoints_at(pixels, scores, features.detector, mask=mask, tile=tile)
        descriptors = self.describe_at(features, found.keypoints, (scores.shape[0], scores.shape[1]))
        return found._replace(descriptors=descriptors)

    def describe_at(
        self, features: BothFeatures, keypoints: Float[Tensor, "n 2"], shape: tuple[int, int]
    ) -> Float[Tensor, "n d"]:
        """Describe an image at given keypoints.

        Args:
            features: Features of the image.
            keypoints: Positions (x, y) in px, shape (n, 2).
            shape: Shape (height, width) of the image.
        """
        return self.descriptor.describe_at(features.descriptor, keypoints, shape)

    def grid_origin(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Return the point (x, y) in px at which the detector's grid of tile borders starts.

        Args:
            image_size: Size (width, height) of the whole image in px.
        """
        return self.detector.grid_origin(image_size)

    def global_context(
        self, parts: Iterable[tuple[Float[Tensor, "1 3 h w"], Tile]]
    ) -> tuple[Tensor | None, Any]:
        """Return what tiles need to know about the whole image: of the detector, and of the descriptor.

        Args:
            parts: Crops, shape (1, 3, h, w), and positions of all tiles; can be iterated over several times.
        """
        return self.detector.global_context(parts), self.descriptor.global_context(parts)


def _split_context(tile: Tile) -> tuple[Tile, Tile]:
    first, second = tile.context or (None, None)
    return tile._replace(context=first), tile._replace(context=second)
