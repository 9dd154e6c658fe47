"""COLMAP's SIFT: the features that its database would have."""

import numpy as np
import pycolmap
import pytest
import skimage.data
import torch
from scipy.ndimage import gaussian_filter

import tiepoint
from tiepoint.extraction.colmap_sift_extractor import ColmapSIFTExtractor
from tiepoint.extraction.extractor import ExtractionSettings
from tiepoint.image import Image, read_image

SETTINGS = ExtractionSettings(
    kind="colmap-sift", max_keypoints=100, resize=None, detection_threshold=0.0066667
)


@pytest.fixture
def extractor() -> ColmapSIFTExtractor:
    return ColmapSIFTExtractor(SETTINGS)


def test_a_blob_is_at_its_pixel(extractor: ColmapSIFTExtractor) -> None:
    image = np.zeros((101, 121))
    image[40, 30] = 255 * 2 * np.pi * 16
    pixels = torch.from_numpy(gaussian_filter(image, 4).clip(0, 255)).to(torch.uint8).expand(3, -1, -1)
    features = extractor.extract(Image(pixels=pixels))
    assert torch.allclose(features.keypoints, torch.tensor([30.0, 40.0]), atol=0.05)
    assert features.scales is not None
    assert torch.allclose(features.scales, torch.tensor(3.55), atol=0.2)  # Gaussian of 4 px


def test_features_are_those_of_pycolmap_by_descending_scale(extractor: ColmapSIFTExtractor) -> None:
    image = read_image(skimage.data.astronaut())
    found = extractor.extract(image)
    assert len(found) == 100
    assert found.scales is not None
    assert bool((found.scales.diff() <= 0).all())
    assert torch.allclose(found.descriptors.norm(dim=1), torch.ones(100), atol=1e-5)
    assert (found.descriptors >= 0).all()
    assert float(found.scores[0]) == 1
    options = pycolmap.FeatureExtractionOptions()
    assert options.sift.normalization == pycolmap.Normalization.L1_ROOT  # RootSIFT is COLMAP's default


def test_masks_and_blank_images(extractor: ColmapSIFTExtractor) -> None:
    mask = torch.zeros(512, 512, dtype=torch.bool)
    mask[:, :200] = True
    found = extractor.extract(read_image(skimage.data.astronaut()), mask)
    assert 0 < len(found) <= 100
    assert float(found.keypoints[:, 0].max()) < 200
    blank = extractor.extract(Image(pixels=torch.zeros(3, 40, 40, dtype=torch.uint8)))
    assert blank.descriptors.shape == (0, 128)


def test_preset_without_weights() -> None:
    matcher = tiepoint.load(
        "colmap-sift+nearest", max_keypoints=200, resize=None, filter_threshold=0.9, views=None
    )
    image = skimage.data.astronaut()[:200, :200]
    result = matcher.match(image, np.roll(image, 16, axis=1))
    shift = result.points1 - result.points0
    assert len(result) > 20
    assert np.median(np.abs(shift - (16, 0)), axis=0).max() < 0.1
    assert result.features0.kind == "colmap-sift"
