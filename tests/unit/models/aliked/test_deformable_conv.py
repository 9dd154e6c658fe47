"""The deformable convolution against torchvision's."""

import pytest
import torch
from torchvision.ops import deform_conv2d

from tiepoint.models.aliked.deformable_conv import DeformableConv2d, deformable_conv2d


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (6, 5), (13, 21)])
@pytest.mark.parametrize("reach", [0.0, 0.7, 40.0])
def test_agrees_with_torchvision_also_far_beyond_the_border(size, reach):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 4, *size, generator=generator)
    offsets = torch.randn(2, 18, *size, generator=generator) * reach
    weight = torch.randn(6, 4, 3, 3, generator=generator)
    expected = deform_conv2d(maps, offsets, weight, padding=1)
    torch.testing.assert_close(deformable_conv2d(maps, offsets, weight), expected, atol=1e-4, rtol=1e-4)


def test_offsets_are_clamped_to_a_quarter_of_the_longer_side():
    layer = DeformableConv2d(2, 3)
    with torch.no_grad():
        layer.offset_conv.bias.fill_(1000.0)
    maps = torch.randn(1, 2, 6, 16)
    expected = deform_conv2d(maps, torch.full((1, 18, 6, 16), 4.0), layer.regular_conv.weight, padding=1)
    with torch.no_grad():  # torch 2.5 cannot sum rows without gradients with weights that have one
        found = layer(maps)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_gradients_reach_maps_offsets_and_kernel():
    shapes = [(1, 2, 3, 4), (1, 18, 3, 4), (2, 2, 3, 3)]
    generator = torch.Generator().manual_seed(1)
    inputs = [torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True) for s in shapes]
    assert torch.autograd.gradcheck(deformable_conv2d, inputs)
