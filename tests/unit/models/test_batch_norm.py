"""Folding batch norms changes the order of rounding only."""

import copy
from collections.abc import Callable

import pytest
import torch
from tests.helpers.tiny_detectors import noise, tiny_dad, tiny_dad_dedode, tiny_dedode, tiny_raco
from torch import nn

from tiepoint.models.batch_norm import fold_batch_norms, scale_and_shift
from tiepoint.models.disk import DISK, DISKConfig
from tiepoint.models.fusion import fuse_detector

IMAGE = noise(56, 64)


def with_statistics(network: nn.Module) -> nn.Module:
    """Draw the statistics and weights of all batch norms."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_var, module.weight.data):
                tensor.uniform_(0.5, 2, generator=generator)
            for tensor in (module.running_mean, module.bias.data):
                tensor.uniform_(-0.5, 0.5, generator=generator)
    return network


@torch.inference_mode()
def outputs(network: nn.Module) -> list[torch.Tensor]:
    """The maps of a network: logits, or descriptors."""
    if not hasattr(network, "logits"):
        (described,) = network.feature_maps(IMAGE)
        return [described.at(torch.tensor([[3.0, 4.0], [50.5, 40.25]]))]
    logits, maps = network.logits(IMAGE)
    return [logits] if maps[0] is None else [logits, *maps[0].levels]


@pytest.mark.parametrize("make", [tiny_raco, tiny_dad, tiny_dedode])
def test_folded_networks_compute_the_same(make: Callable[[], nn.Module]) -> None:
    network = with_statistics(make())
    before = copy.deepcopy(network.state_dict())
    folded = fold_batch_norms(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    for found, expected in zip(outputs(folded), outputs(network), strict=True):
        spread = float(expected.std())
        assert spread > 0.01
        torch.testing.assert_close(found / spread, expected / spread, rtol=1e-5, atol=1e-5)
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())
    assert fold_batch_norms(folded) is folded


def test_other_weights_are_shared_and_networks_without_batch_norms_returned() -> None:
    network = tiny_dad()
    folded = fold_batch_norms(network)
    last = network.decoder.last_conv[0]
    assert folded.decoder.last_conv[0].data_ptr() == last.data_ptr()
    disk = DISK(DISKConfig(down=(4, 4), up=(), dim=8))
    assert fold_batch_norms(disk) is disk


def test_scale_and_shift() -> None:
    norm = with_statistics(nn.BatchNorm2d(3).eval())
    maps = torch.rand(2, 3, 4, 5)
    factor, shift = scale_and_shift(norm)
    expected = maps.double() * factor[:, None, None] + shift[:, None, None]
    torch.testing.assert_close(norm(maps).double(), expected, rtol=0, atol=1e-6)


def test_both_networks_of_a_described_detector_are_folded() -> None:
    network = with_statistics(tiny_dad_dedode())
    fused = fuse_detector(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    with torch.inference_mode():
        (expected,), (found,) = (each(IMAGE, max_keypoints=20) for each in (network, fused))
    torch.testing.assert_close(found.keypoints, expected.keypoints, rtol=0, atol=1e-4)
    torch.testing.assert_close(found.descriptors, expected.descriptors, rtol=0, atol=1e-4)
