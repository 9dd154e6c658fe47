"""ALIKED's sparse feature map against the dense computation."""

import torch
import torch.nn.functional as F

from tiepoint.models.aliked.feature_map import FeatureMap, Padding, selu


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
    features = FeatureMap(fine, weight, coarse, padding=padding)
    every = features.at(torch.arange(50 * 83)).T.view(1, 16, 50, 83)
    torch.testing.assert_close(every, dense, atol=1e-4, rtol=0)
    positions = torch.rand(300, 2) * torch.tensor([100.0, 70.0]) - 10
    grid = (2 * positions / torch.tensor([82.0, 49.0]) - 1).view(1, 1, -1, 2)
    expected = F.grid_sample(dense, grid, align_corners=True)[0, :, 0].T
    torch.testing.assert_close(features.sample(positions), expected, atol=1e-4, rtol=0)


def test_selu_is_torchs():
    values = torch.linspace(-30, 30, 10001)
    torch.testing.assert_close(selu(values), F.selu(values), atol=1e-6, rtol=1e-6)
    inputs = torch.randn(50, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(selu, inputs)
