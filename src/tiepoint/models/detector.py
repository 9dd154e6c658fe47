"""The forward pass that all detectors share: dense maps, non-maximum suppression, top-k keypoints, descriptors.

A network defines `dense_maps`, `suppress_non_maxima` and `keypoints_at`, and the properties that tiling needs.
"""

from collections.abc import Callable
from typing import Any

from jaxtyping import Bool, Float, Int
from torch import Tensor

from tiepoint.models.descriptor import Descriptor
from tiepoint.models.keypoints import Detection, apply_mask, candidate_pixels, top_k
from tiepoint.models.precision import without_autocast
from tiepoint.models.tile import Tile


class Detector(Descriptor):
    """Base class of the detector networks: images in, keypoints with scores and descriptors out.

    Attributes:
        stride: Tiles start at multiples of this many px, counted from `grid_origin`.
        nms_radius: Radius of non-maximum suppression in px.
        size_multiple: The network processes images whose sides are multiples of this many px.
    """

    size_multiple: int = 1
    stride: int
    nms_radius: int

    def forward(
        self,
        images: Float[Tensor, "b c h w"],
        *,
        max_keypoints: int | None = 2048,
        detection_threshold: float = 0.0,
        masks: Bool[Tensor, "b h w"] | None = None,
    ) -> list[Detection]:
        """Detect and describe keypoints.

        Args:
            images: RGB images in [0, 1] of any size, shape (b, 3, h, w); blank images have no keypoints.
            max_keypoints: Maximum number of keypoints per image, highest scores first; None keeps all.
            detection_threshold: Minimum score (exclusive) of a keypoint at its integer pixel.
            masks: Masks, shape (b, h, w), True where keypoints are allowed; None allows them everywhere.

        Returns:
            One detection per image; float32 even if the network runs in half precision.

        Raises:
            InvalidInput: If `max_keypoints` is negative.
        """
        return self._detect_images(
            images, masks, self.suppress_non_maxima, max_keypoints, detection_threshold
        )

    def detect(
        self,
        scores: Float[Tensor, "h w"],
        features: Any,
        *,
        max_keypoints: int | None = None,
        detection_threshold: float = 0.0,
        mask: Bool[Tensor, "H W"] | None = None,
        suppress: Callable[[Tensor], Tensor] | None = None,
    ) -> Detection:
        """Select, refine and describe the keypoints of one image.

        Args:
            scores: Score map of the image, from `dense_maps`, shape (h, w).
            features: Dense features of the image, from `dense_maps`.
            max_keypoints: Maximum number of keypoints; None keeps all.
            detection_threshold: Minimum score (exclusive).
            mask: Mask, shape (H, W), True where keypoints are allowed; None allows them everywhere.
            suppress: Non-maximum suppression of a score map; None uses `suppress_non_maxima`.
        """
        maxima = (suppress or self.suppress_non_maxima)(apply_mask(scores, mask))
        pixels, ranks = self.ranked_candidates(maxima, features)
        selected = pixels[top_k(ranks, max_keypoints, detection_threshold)]
        return self.keypoints_at(selected, scores, features, mask=mask)

    def ranked_candidates(
        self, maxima: Float[Tensor, "h w"], features: Any
    ) -> tuple[Int[Tensor, "n"], Float[Tensor, "n"]]:
        """Return the keypoint candidates of one image and the scores that they are ranked by.

        Args:
            maxima: Scores of the candidates (`suppress_non_maxima`), shape (h, w); zero at all other pixels.
            features: Dense features of the image, from `dense_maps`.

        Returns:
            Raster indices in ascending order and scores, both of shape (n,).
        """
        pixels = candidate_pixels(maxima)
        return pixels, self.rank(pixels, maxima, features)

    def dense_maps(
        self, images: Float[Tensor, "b c h w"], tile: Tile | None = None
    ) -> tuple[Float[Tensor, "b H W"], Any]:
        """Compute the dense maps that keypoints are selected from.

        Args:
            images: Images in [0, 1], shape (b, c, h, w).
            tile: Position of the images in a larger image that is not blank; None if they are whole images.

        Returns:
            Score maps, shape (b, H, W), and the dense features of each image, indexed by image.
        """
        raise NotImplementedError

    def feature_maps(self, images: Float[Tensor, "b c h w"], tile: Tile | None = None) -> list[Any]:
        """Compute the dense features that descriptors at given keypoints come from.

        Args:
            images: Images in [0, 1], shape (b, c, h, w).
            tile: Position of the images in a larger image; None if they are whole images.
        """
        return list(self.dense_maps(images, tile)[1])

    def suppress_non_maxima(self, scores: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
        """Return the scores of keypoint candidates, and zero at all other pixels; shape (h, w)."""
        raise NotImplementedError

    def rank(
        self, pixels: Int[Tensor, "n"], scores: Float[Tensor, "h w"], features: Any
    ) -> Float[Tensor, "n"]:
        """Return the scores by which keypoints are ranked.

        Args:
            pixels: Raster indices of the keypoints, shape (n,).
            scores: Score map of the image, shape (h, w).
            features: Dense features of the image, from `dense_maps`.
        """
        return scores.flatten()[pixels]

    def keypoints_at(
        self,
        pixels: Int[Tensor, "n"],
        scores: Float[Tensor, "h w"],
        features: Any,
        *,
        mask: Bool[Tensor, "H W"] | None = None,
        tile: Tile | None = None,
    ) -> Detection:
        """Refine and describe keypoints at given pixels.

        Args:
            pixels: Raster indices into the score map, shape (n,).
            scores: Score map of the image before suppression, shape (h, w).
            features: Dense features of the image, from `dense_maps`.
            mask: Mask, shape (H, W), that refined positions stay in; None means no mask.
            tile: Position of the image in a larger image; None if it is a whole image.
        """
        raise NotImplementedError

    def grid_origin(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Return the point (x, y) in px at which the grid of tile borders starts.

        Args:
            image_size: Size (width, height) of the whole image in px.
        """
        return 0, 0

    @without_autocast()
    def _detect_images(
        self,
        images: Tensor,
        masks: Tensor | None,
        suppress: Callable[[Tensor], Tensor],
        max_keypoints: int | None,
        detection_threshold: float,
    ) -> list[Detection]:
        scores, features = self.dense_maps(images)
        return [
            self.detect(
                *maps,
                max_keypoints=max_keypoints,
                detection_threshold=detection_threshold,
                mask=mask,
                suppress=suppress,
            )
            for *maps, mask in zip(scores, features, split_masks(masks, len(scores)), strict=True)
        ]


def split_masks(masks: Bool[Tensor, "b h w"] | None, num_images: int) -> list[Tensor | None]:
    """Return one mask per image, or None per image if there are no masks."""
    return [None] * num_images if masks is None else list(masks)
