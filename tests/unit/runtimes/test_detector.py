"""The extractor of a bundle: the package's keypoints, and images that it cannot take."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.helpers.tiny_bundles import noise, tiny_detector

from tiepoint.errors import InvalidInput
from tiepoint.runtimes.bundle import open_bundle
from tiepoint.runtimes.detector import BundleDetector


@pytest.fixture(scope="module")
def detector(tiny_bundle: Path) -> BundleDetector:
    return BundleDetector(open_bundle(tiny_bundle), threads=1)


@pytest.mark.parametrize("max_keypoints", [0, 1, 30, None])
@torch.no_grad()
def test_keypoints_are_the_package_s(detector: BundleDetector, max_keypoints: int | None) -> None:
    pixels = noise().pixels / 255
    detector.max_keypoints = max_keypoints
    found = detector.detect(pixels.numpy())
    (expected,) = tiny_detector()(pixels[None], max_keypoints=max_keypoints)
    np.testing.assert_array_equal(found["keypoints"], expected.keypoints.numpy())
    np.testing.assert_allclose(found["scores"], expected.scores.numpy(), atol=1e-5)
    np.testing.assert_allclose(found["descriptors"], expected.descriptors.numpy(), atol=1e-5)


def test_blank_image_has_no_keypoints(detector: BundleDetector) -> None:
    assert len(detector.detect(np.full((3, 64, 96), 0.5, np.float32))["keypoints"]) == 0


def test_other_sizes_are_refused(detector: BundleDetector) -> None:
    with pytest.raises(InvalidInput, match=r"expected an image of \(96, 64\) px .* got \(64, 96\)"):
        detector.detect(np.zeros((3, 96, 64), np.float32))
