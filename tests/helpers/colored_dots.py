"""Synthetic images of colored dots and a detector for them, to test in-plane rotations without weights."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.matcher import Matcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.keypoints import Detection

SIZE = (320, 240)
"""Image size (width, height) of the cheap matches of a search over views, so that nothing is resized."""

SHIFT = (9, 5)
"""Displacement (x, y) in px between the two images of a pair."""


class DotDetector(nn.Module):
    """Detects white pixels, and describes them by the two pixels below: descriptors are not rotation-invariant."""

    descriptor_dim = 6

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(
        self,
        images: Tensor,
        *,
        max_keypoints: int | None,
        detection_threshold: float,
        masks: Tensor | None = None,
    ) -> list[Detection]:
        image = images[0]
        white = image.amin(0) == 1
        ys, xs = (white if masks is None else white & masks[0]).nonzero().T[:, :max_keypoints]
        below = torch.stack([image[:, ys + 1, xs], image[:, ys + 2, xs]], dim=1).permute(2, 0, 1).flatten(1)
        found = torch.stack((xs, ys), dim=1).float()
        return [
            Detection(found, torch.linspace(1, 0.5, len(xs)), nn.functional.normalize(below - 0.5, dim=1))
        ]


def dots(shift: tuple[int, int] = (0, 0), seed: int = 0, count: int = 80) -> np.ndarray:
    """Draw white dots on black, each in a cross of random colors, so that every rotation has pixels below it."""
    random = np.random.default_rng(seed)
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    cells = random.permutation([(x, y) for x in range(20, 260, 14) for y in range(20, 200, 14)])[:count]
    for x, y in cells + np.array(shift):
        image[y - 2 : y + 3, x] = random.integers(0, 250, (5, 3))
        image[y, x - 2 : x + 3] = random.integers(0, 250, (5, 3))
        image[y, x] = 255
    return image


def make_matcher(views: Any = "rotation", **settings: Any) -> Matcher:
    extraction = ExtractionSettings(kind="dots@0", **{"max_keypoints": None, "resize": None, **settings})
    nearest = NearestMatcher(kind="dots@0", filter_threshold=0.99)
    return Matcher(NeuralExtractor(DotDetector(), extraction), nearest, views)
