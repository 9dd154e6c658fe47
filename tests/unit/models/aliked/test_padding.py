"""Padding to the grid, and the positions of pixels on coarse levels."""

import pytest
import torch
import torch.nn.functional as F

from tiepoint.models.aliked.padding import Padding, grid_origin
from tiepoint.models.tile import Tile


@pytest.mark.parametrize("size", [(1, 1), (33, 64), (50, 75)])
def test_padding_is_centered_and_can_be_removed(size):
    height, width = size
    images = torch.rand(1, 3, height, width)
    padding = Padding.for_images(images, None)
    padded = padding.pad(images)
    assert [side % 32 for side in padded.shape[-2:]] == [0, 0]
    assert padding.margin == (-width % 32 // 2, -height % 32 // 2)
    assert torch.equal(padding.unpad(padded), images)
    left, top = padding.margin
    assert grid_origin((width, height)) == (-left, -top)


@pytest.mark.parametrize("stride", [2, 8, 32])
def test_level_taps_interpolate_with_aligned_corners(stride):
    padding = Padding.for_images(torch.rand(1, 3, 32, 96), None)
    for axis, length in enumerate((96, 32)):
        values = torch.rand(length // stride)
        indices, weights = padding.level_taps(axis, len(values), values.device)
        expected = F.interpolate(values[None, None], length, mode="linear", align_corners=True)[0, 0]
        torch.testing.assert_close((values[indices] * weights).sum(1), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("stride", [2, 8, 32])
def test_level_taps_of_a_tile_are_those_of_the_whole_image(stride):
    whole = Padding.for_images(torch.rand(1, 3, 64, 320), None)
    tile = Padding.for_images(torch.rand(1, 3, 64, 128), Tile(96, 0, (320, 64), (128, 0, 192, 64)))
    device = torch.device("cpu")
    expected, expected_weights = whole.level_taps(0, 320 // stride, device)
    indices, weights = tile.level_taps(0, 128 // stride, device)
    core = slice(32, 96)
    assert torch.equal(indices[core] + 96 // stride, expected[96:224][core])
    torch.testing.assert_close(weights[core], expected_weights[96:224][core], atol=1e-4, rtol=0)
