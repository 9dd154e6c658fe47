"""Detector networks without weights, for tests of what is built around them: the image is the score map."""

import torch
from torch import Tensor, nn

from tiepoint.models.keypoints import Detection, masked, positions_of, simple_nms, strongest
from tiepoint.models.tile import Tile


class Echo(nn.Module):
    """Finds the maxima of the red channel, and describes each by its place in the image.

    Attributes:
        seen: the windows that it was shown, in order.
    """

    stride, nms_radius, bytes_per_pixel, descriptor_dim = 8, 2, 100, 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seen: list[Tile | None] = []

    def forward(
        self,
        images: Tensor,
        *,
        max_keypoints: int | None,
        detection_threshold: float,
        masks: Tensor | None = None,
    ) -> list[Detection]:
        """All at once."""
        scores, features = self.dense_maps(images)
        mask = None if masks is None else masks[0]
        maxima = self.suppress(masked(scores[0], mask))
        return [
            self.keypoints_at(strongest(maxima, max_keypoints, detection_threshold), scores[0], features[0])
        ]

    def grid_origin(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Not at the corner."""
        return -3, -5

    def context_of(self, parts: object) -> None:
        """Nothing."""

    def dense_maps(self, images: Tensor, window: Tile | None = None) -> tuple[Tensor, list[None]]:
        """The red channel."""
        self.seen.append(window)
        return images[:, 0], [None]

    def suppress(self, scores: Tensor) -> Tensor:
        """As ALIKED does."""
        return simple_nms(scores, self.nms_radius)

    def keypoints_at(
        self,
        pixels: Tensor,
        scores: Tensor,
        features: None,
        *,
        mask: Tensor | None = None,
        window: Tile | None = None,
    ) -> Detection:
        """Positions are whole pixels."""
        keypoints = positions_of(pixels, scores.shape[1]).float()
        corner = torch.tensor(window[:2] if window else (0, 0))
        places = nn.functional.normalize(keypoints + corner + 1, dim=1)
        return Detection(keypoints, scores.flatten()[pixels], places)


class Moody(Echo):
    """Sees each tile in another light."""

    def dense_maps(self, images: Tensor, window: Tile | None = None) -> tuple[Tensor, list[None]]:
        """The red channel, and noise that is another one for each tile."""
        generator = torch.Generator().manual_seed(sum(window[:2]) if window else 0)
        noise = torch.rand(images.shape[-2:], generator=generator)
        return images[:, 0] + 0.5 * noise, [None]
