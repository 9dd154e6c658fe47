"""ALIKED's sparse feature map against the dense computation."""

import pytest
import torch
import torch.nn.functional as F

from tiepoint.models.aliked.feature_map import FeatureMap
from tiepoint.models.aliked.padding import Padding


def test_feature_map_is_the_upsampled_concatenated_normalized_map():
    fine, weight = torch.randn(3, 64, 96), torch.randn(4, 3, 1, 1)
    coarse = [torch.randn(4, 64 // s, 96 // s) for s in (2, 8, 32)]
    finest = F.selu(F.conv2d(fine[None], weight))
    others = [F.interpolate(one[None], (64, 96), mode="bilinear", align_corners=True) for one in coarse]
    dense = F.normalize(torch.cat([finest, *others], dim=1), dim=1)[..., 5:55, 7:90]
    padding = Padding(
        margin=(7, 5),
        size=(83, 50),
        padded_size=(96, 64),
        offset=(0, 0),
        padded_image_size=(96, 64),
        image_size=(83, 50),
    )
    features = FeatureMap(
        fine, lambda pixels: F.selu(F.linear(pixels, weight[..., 0, 0])), coarse, padding=padding
    )
    every = features.at(torch.arange(50 * 83)).T.view(1, 16, 50, 83)
    torch.testing.assert_close(every, dense, atol=1e-4, rtol=0)
    positions = torch.rand(300, 2) * torch.tensor([100.0, 70.0]) - 10
    grid = (2 * positions / torch.tensor([82.0, 49.0]) - 1).view(1, 1, -1, 2)
    expected = F.grid_sample(dense, grid, align_corners=True)[0, :, 0].T
    torch.testing.assert_close(features.sample(positions), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("side", [1, 2, 3])
def test_windows_replicate_the_border(side):
    torch.manual_seed(0)
    fine, coarse = torch.randn(4, 32, 64), [torch.randn(3, 32 // s, 64 // s) for s in (2, 8, 32)]
    padding = Padding((4, 2), (50, 25), (64, 32), (0, 0), (64, 32), (50, 25))
    features = FeatureMap(fine, lambda rows: rows[:, :2], coarse, padding=padding)
    columns, rows = torch.tensor([1 - side, 20, 49]), torch.tensor([3, 1 - side, 24])
    steps = torch.arange(side)
    y = (rows[:, None, None] + steps[:, None]).clamp(0, 24)
    x = (columns[:, None, None] + steps).clamp(0, 49)
    expected = features.at((y * 50 + x).flatten()).view(3, side * side, -1)
    torch.testing.assert_close(features.windows(columns, rows, side), expected)


def test_positions_that_are_not_numbers_raise_no_error():
    padding = Padding((0, 0), (32, 32), (32, 32), (0, 0), (32, 32), (32, 32))
    coarse = [torch.randn(3, 32 // s, 32 // s) for s in (2, 8, 32)]
    features = FeatureMap(torch.randn(4, 32, 32), lambda rows: rows, coarse, padding=padding)
    assert features.sample(torch.tensor([[torch.nan, 0.0], [torch.inf, -torch.inf]])).shape == (2, 13)
