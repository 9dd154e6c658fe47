"""Resizing as matrix products agrees with torch, for whole images and summed over tiles."""

import pytest
import torch
import torch.nn.functional as F
from tests.helpers.tiny_detectors import noise

from tiepoint.models.dedode.resize import ResizeMatrices, resize, triangle_filter
from tiepoint.models.tile import Tile


@pytest.mark.parametrize("size", [(56, 56), (20, 90), (64, 48), (2, 2)])
def test_resize_agrees_with_torch(size: tuple[int, int]):
    images = noise(48, 64, 2)
    expected = F.interpolate(images, size[::-1], mode="bilinear", antialias=True, align_corners=False)
    torch.testing.assert_close(resize(images, size), expected, rtol=0, atol=1e-5)


def test_an_image_of_the_right_size_is_unchanged():
    assert torch.equal(resize(noise(48, 64), (64, 48)), noise(48, 64))


def test_tiles_add_up_to_the_whole_image():
    images, total = noise(48, 64), torch.zeros(1, 3, 30, 20)
    matrices = ResizeMatrices.build((64, 48), (20, 30), images.device)
    for left, right in ((0, 24), (24, 64)):
        crop = max(left - 8, 0)
        tile = Tile(crop, 0, (64, 48), (left, 0, right, 48))
        total += matrices.of_part(images[..., crop : right + 8], tile)
    torch.testing.assert_close(total, resize(images, (20, 30)))


def test_weights_sum_to_one():
    for length, resized in ((7, 3), (3, 7), (1, 5), (5, 1)):
        weights = triangle_filter(length, resized, torch.device("cpu"))
        assert weights.shape == (resized, length)
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(resized))
