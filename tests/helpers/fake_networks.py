"""Detector networks without weights, for tests of the code around them: the image is the score map."""

import torch
from torch import Tensor, nn

from tiepoint.models.detector import Detector
from tiepoint.models.keypoints import Detection, pixel_coordinates, simple_nms
from tiepoint.models.tile import Tile


class IdentityDetector(Detector):
    """Detects the maxima of the red channel and describes each by its position in the image.

    Attributes:
        seen: Tiles that the network was called with, in order; None is a whole image.
    """

    stride, nms_radius, bytes_per_pixel, descriptor_dim = 8, 2, 100, 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seen: list[Tile | None] = []

    def grid_origin(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Return an origin that is not the image corner."""
        return -3, -5

    def dense_maps(self, images: Tensor, tile: Tile | None = None) -> tuple[Tensor, list[None]]:
        """Return the red channel."""
        self.seen.append(tile)
        return images[:, 0], [None] * len(images)

    def suppress_non_maxima(self, scores: Tensor) -> Tensor:
        """Suppress as ALIKED does, without a border."""
        return simple_nms(scores, self.nms_radius)

    def keypoints_at(
        self,
        pixels: Tensor,
        scores: Tensor,
        features: None,
        *,
        mask: Tensor | None = None,
        tile: Tile | None = None,
    ) -> Detection:
        """Return keypoints at integer pixels."""
        keypoints = pixel_coordinates(pixels, scores.shape[1]).float()
        offset = torch.tensor(tile[:2] if tile else (0, 0))
        descriptors = nn.functional.normalize(keypoints + offset + 1, dim=1)
        return Detection(keypoints, scores.flatten()[pixels], descriptors)


class NoisyDetector(IdentityDetector):
    """Adds noise to the scores that differs between tiles."""

    def dense_maps(self, images: Tensor, tile: Tile | None = None) -> tuple[Tensor, list[None]]:
        """Return the red channel plus noise seeded by the position of the tile."""
        generator = torch.Generator().manual_seed(sum(tile[:2]) if tile else 0)
        noise = torch.rand(images.shape[-2:], generator=generator)
        return images[:, 0] + 0.5 * noise, [None] * len(images)
