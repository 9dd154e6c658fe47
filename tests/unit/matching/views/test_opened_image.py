"""OpenedImage: cheap features are extracted once, masks and borders follow to the small image."""

import numpy as np
import pytest
import torch
from tests.helpers.colored_dots import SIZE, dots, make_matcher
from torch import nn

import tiepoint
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.extraction.views import ORIGINAL, View
from tiepoint.matching.views.opened_image import OpenedImage
from tiepoint.models.keypoints import Detection


def opened(mask: torch.Tensor | None = None, border: int = 0) -> OpenedImage:
    full = make_matcher(None, border=border).extractor
    cheap = make_matcher(None, resize=SIZE[0]).extractor
    return OpenedImage(tiepoint.read_image(dots()), mask, full, cheap)


def test_cheap_features_are_extracted_once() -> None:
    image = opened()
    assert image.cheap_features(View(90)) is image.cheap_features(View(90))
    assert image.cheap_features(View(90)) is not image.cheap_features(ORIGINAL)


def test_features_are_those_of_the_extractor() -> None:
    image = opened()
    expected = make_matcher(None).extract(dots())
    assert torch.equal(image.features(ORIGINAL).in_image.keypoints, expected.keypoints)
    assert torch.equal(image.cheap_features(ORIGINAL).in_image.keypoints, expected.keypoints)


def test_masks_and_borders_follow() -> None:
    mask = torch.zeros(SIZE[1], SIZE[0], dtype=torch.bool)
    mask[:120] = True
    image = opened(mask, border=40)
    for found in (image.features(View(90)), image.cheap_features(View(180))):
        assert len(found) > 5
        keypoints = found.in_image.keypoints
        assert keypoints[:, 1].max() < 120
        assert keypoints.min() >= 40
        assert keypoints[:, 0].max() < SIZE[0] - 40


class NoStrips(nn.Module):
    """Refuses images with a side below 32 px, as exported extractors."""

    min_side = 32
    descriptor_dim = 1

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.sizes: list[tuple[int, int]] = []

    def forward(self, images: torch.Tensor, **options: object) -> list[Detection]:
        """Record the size; no keypoints."""
        height, width = images.shape[2:]
        assert min(width, height) >= self.min_side
        self.sizes.append((width, height))
        return [Detection(torch.zeros(0, 2), torch.zeros(0), torch.zeros(0, 1))]


@pytest.mark.parametrize(
    ("size", "resize", "expected"),
    [
        ((2000, 100), 1024, (640, 32)),
        ((100, 2000), None, (32, 640)),
        ((2000, 32), None, (2000, 32)),
        ((2000, 63), 1024, (1016, 32)),
        ((500, 400), 1024, (400, 320)),
        ((320, 33), 1024, (400, 41)),
    ],
)
def test_cheap_views_of_strips_are_as_large_as_the_network_needs(
    size: tuple[int, int], resize: int | None, expected: tuple[int, int]
) -> None:
    network = NoStrips()
    full = NeuralExtractor(network, ExtractionSettings(kind="none@0", resize=resize))
    cheap = full.with_settings(ExtractionSettings(kind="none@0", resize=400))
    image = tiepoint.read_image(np.zeros((size[1], size[0], 3), np.uint8))
    opened_image = OpenedImage(image, None, full, cheap)
    for rotation in (0, 90):
        opened_image.cheap_features(View(rotation))
    assert network.sizes == [expected, expected[::-1]]
