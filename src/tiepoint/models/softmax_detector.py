"""Detectors whose score is the probability that a keypoint is at a pixel: a softmax over all pixels of the image.

DaD and RaCo share the steps after their logits: probabilities, non-maximum suppression in windows of 3 x 3 px, and
sub-pixel positions from the logits around a maximum.

Source: J. Edstedt et al., "DaD: Distilled Reinforcement Learning for Diverse Keypoint Detection", arXiv 2503.07347;
A. Shenoi et al., "RaCo: Ranking and Covariance for Practical Learned Keypoints", arXiv 2602.15755.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tiepoint.models.detector import Detector
from tiepoint.models.keypoints import (
    Detection,
    has_contrast,
    keep_inside_mask,
    pixel_coordinates,
    sample_bilinear,
    window_maximum,
)
from tiepoint.models.tile import Tile

RADIUS = 1
"""Radius of non-maximum suppression and refinement in px."""
TEMPERATURE = 0.5
"""Softmax temperature of the sub-pixel refinement, in units of the logits."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Maps = TypeVar("Maps")


@dataclass(frozen=True, slots=True, eq=False)
class LogitMap(Generic[Maps]):
    """Dense features of one image.

    Attributes:
        logits: Logits of all pixels, shape (h, w).
        maps: Other maps of the detector.
    """

    logits: Float[Tensor, "h w"]
    maps: Maps


class SoftmaxDetector(Detector, Generic[Maps]):
    """Base class: images in, keypoints with sub-pixel positions and probabilities out; it has no descriptors.

    Tiles are normalized by the probabilities of the whole image, for which the network runs twice (`global_context`).

    Attributes:
        samples_scores: Whether scores are those at the refined position, instead of those at the integer pixel.
    """

    nms_radius = RADIUS
    samples_scores: bool

    @property
    def descriptor_dim(self) -> int:
        """Descriptor dimension: none."""
        return 0

    def logits(
        self, images: Float[Tensor, "b 3 h w"], tile: Tile | None = None
    ) -> tuple[Float[Tensor, "b h w"], list[Maps]]:
        """Compute the logits of all pixels, and other maps of each image.

        Args:
            images: RGB images in [0, 1], shape (b, 3, h, w).
            tile: Position of the images in a larger image.
        """
        raise NotImplementedError

    def dense_maps(
        self, images: Float[Tensor, "b 3 h w"], tile: Tile | None = None
    ) -> tuple[Float[Tensor, "b h w"], list[LogitMap[Maps]]]:
        """Compute the probabilities of all pixels; they sum to 1 over the whole image.

        Args:
            images: RGB images in [0, 1], shape (b, 3, h, w).
            tile: Position of the images in a larger image that is not blank.

        Returns:
            Probability maps, shape (b, h, w), and one set of maps per image.
        """
        logits, maps = self.logits(images, tile)
        if tile is None or tile.context is None:
            scores = logits.flatten(1).softmax(dim=1).view_as(logits)
        else:
            scores = (logits - tile.context).exp()
        features = [LogitMap(*both) for both in zip(logits, maps, strict=True)]
        return scores if tile else scores * has_contrast(images)[:, None, None], features

    def suppress_non_maxima(self, scores: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
        """Return the scores of pixels that no neighbor exceeds, and zero at all others; shape (h, w)."""
        scores = scores.detach()
        return scores.masked_fill(scores < window_maximum(scores, RADIUS), 0)

    def keypoints_at(
        self,
        pixels: Int[Tensor, "n"],
        scores: Float[Tensor, "h w"],
        features: LogitMap[Maps],
        *,
        mask: Bool[Tensor, "H W"] | None = None,
        tile: Tile | None = None,
    ) -> Detection:
        """Refine keypoints at given pixels.

        Args:
            pixels: Raster indices into the score map, shape (n,).
            scores: Score map of the image before suppression, shape (h, w).
            features: Maps of the image.
            mask: Mask, shape (H, W), that refined positions stay in; None means no mask.
            tile: Not used.

        Returns:
            Keypoints with descriptors of dimension 0.
        """
        keypoints = refine(features.logits, pixels)
        if mask is not None:
            keypoints = keep_inside_mask(keypoints, pixels, mask)
        found = scores.flatten()[pixels]
        if self.samples_scores:
            height, width = scores.shape
            found = sample_bilinear(scores.reshape(-1, 1), keypoints, width, height).squeeze(1)
        return Detection(keypoints, found, keypoints[:, :0])

    def global_context(self, parts: Iterable[tuple[Float[Tensor, "1 3 h w"], Tile]]) -> Tensor | None:
        """Return the logarithm of the sum of exp(logit) over the whole image, shape ().

        Args:
            parts: Crops, shape (1, 3, h, w), and positions of all tiles.
        """
        sums: list[Tensor] = []
        for images, tile in parts:
            left, top, right, bottom = tile.core
            rows, columns = (
                slice(top - tile.top, bottom - tile.top),
                slice(left - tile.left, right - tile.left),
            )
            logits, _ = self.logits(images, tile)
            sums.append(logits[0, rows, columns].logsumexp(dim=(0, 1)))
        return torch.stack(sums).logsumexp(dim=0)


def refine(logits: Float[Tensor, "h w"], pixels: Int[Tensor, "n"]) -> Float[Tensor, "n 2"]:
    """Return sub-pixel positions: the mean of each pixel's window, weighted by exp(logit / temperature).

    As in the authors' code, pixels outside of the image have a logit of 0; positions are then moved into the image.

    Args:
        logits: Logits, shape (h, w).
        pixels: Raster indices of pixels, shape (n,).
    """
    height, width = logits.shape
    positions = pixel_coordinates(pixels, width)
    padded = F.pad(logits, [RADIUS] * 4)
    steps = torch.arange(2 * RADIUS + 1, dtype=torch.int64, device=logits.device)
    window = (steps[:, None] * (width + 2 * RADIUS) + steps).flatten()
    first = positions[:, 1] * (width + 2 * RADIUS) + positions[:, 0]
    weights = (padded.flatten()[first[:, None] + window] / TEMPERATURE).softmax(dim=1)
    offsets = torch.stack([steps.repeat(len(steps)), steps.repeat_interleave(len(steps))], dim=1) - RADIUS
    last = torch.tensor([width - 1, height - 1], dtype=logits.dtype, device=logits.device)
    return (positions + weights @ offsets.to(logits.dtype)).clamp(min=0).minimum(last)


def normalize_imagenet(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Subtract ImageNet's mean color and divide by its standard deviation."""
    mean, std = (
        torch.tensor(values, dtype=torch.float32, device=images.device)[:, None, None]
        for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return (images - mean) / std
