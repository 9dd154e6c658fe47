"""Which networks have an inference form, and when it is built again."""

import copy

import pytest
import torch
from torch import nn

from tiepoint.models.aliked.fused_network import FusedALIKED
from tiepoint.models.aliked.network import ALIKED, ALIKEDConfig
from tiepoint.models.disk import DISK, DISKConfig
from tiepoint.models.fusion import FusionCache, fuse_detector

SMALL = ALIKEDConfig(widths=(4, 4, 8, 8), dim=16, positions=4)


def small_aliked(seed: int = 0) -> ALIKED:
    torch.manual_seed(seed)
    return ALIKED(SMALL).eval()


def test_detectors_without_another_form_are_unchanged():
    network = DISK(DISKConfig(down=(4, 4, 6), up=(6,), dim=12))
    fused = fuse_detector(small_aliked())
    assert isinstance(fused, FusedALIKED)
    assert fuse_detector(fused) is fused
    assert fuse_detector(network) is network


class TestFusionCache:
    def test_a_network_is_fused_once(self):
        cache, network = FusionCache(fuse_detector), small_aliked()
        fused = cache.fuse(network)
        assert cache.fuse(network) is fused
        assert cache.fuse(copy.deepcopy(network)) is not fused

    @pytest.mark.parametrize(
        "change",
        [
            lambda network: network.load_state_dict(small_aliked(seed=1).state_dict()),
            lambda network: network.to(torch.float64),
            lambda network: nn.init.ones_(network.block2.downsample.bias),
            lambda network: setattr(network, "conv1", nn.Conv2d(4, 4, 1, bias=False)),
            lambda network: nn.init.constant_(network.block1.bn1.running_mean, 0.1),
        ],
        ids=["loaded", "cast", "written", "replaced", "statistics"],
    )
    @torch.no_grad()
    def test_changed_weights_are_fused_again(self, change):
        cache, network = FusionCache(fuse_detector), small_aliked()
        before = cache.fuse(network)
        change(network)
        after = cache.fuse(network)
        assert after is not before
        images = torch.rand(1, 3, 64, 64)
        expected, actual = (each.dense_maps(images)[0] for each in (network, after))
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)
