"""The fused network computes the same function as the original one, with another order of rounding."""

import pytest
import torch
from torch import Tensor, nn

from tiepoint.models import row_chunks
from tiepoint.models.aliked.fused_network import FusedALIKED, _WideConv, fuse
from tiepoint.models.aliked.network import ALIKED, ALIKEDConfig
from tiepoint.models.tile import Tile

CONFIGS = {
    "small": ALIKEDConfig(widths=(4, 4, 8, 8), dim=16, positions=4),
    "other widths": ALIKEDConfig(widths=(3, 6, 5, 7), dim=8, positions=3),
    "larger patches": ALIKEDConfig(widths=(4, 8, 8, 8), dim=16, positions=2, kernel=5),
}


@pytest.fixture(scope="module", params=CONFIGS)
def network(request: pytest.FixtureRequest) -> ALIKED:
    """Random weights with the statistics of a trained network: batch norms that do something, offsets that reach far."""
    torch.manual_seed(0)
    network = ALIKED(CONFIGS[request.param]).eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, std=0.3)
            nn.init.uniform_(layer.running_var, 0.5, 2)
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.normal_(layer.bias, std=0.3)
    nn.init.normal_(network.block3.conv1.offset_conv.bias, std=2)
    nn.init.normal_(network.desc_head.offset_conv[2].bias, std=5)
    return network


def random_images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


def assert_same_maps(network: ALIKED, images: Tensor, tile: Tile | None = None, atol: float = 1e-5) -> None:
    (expected, expected_features), (scores, features) = (
        each.dense_maps(images, tile) for each in (network, fuse(network))
    )
    torch.testing.assert_close(scores, expected, atol=atol, rtol=0)
    height, width = images.shape[-2:]
    every = torch.arange(height * width)
    for before, after in zip(expected_features, features, strict=True):
        torch.testing.assert_close(after.at(every), before.at(every), atol=atol, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (33, 65), (64, 96), (130, 70)])
@pytest.mark.parametrize("chunk_pixels", [1, 500, 1 << 15])
@torch.inference_mode()
def test_maps_equal_the_original_ones(network, size, chunk_pixels, monkeypatch):
    monkeypatch.setattr(row_chunks, "CHUNK_PIXELS", chunk_pixels)
    assert_same_maps(network, random_images(2, 3, *size))


@torch.inference_mode()
def test_keypoints_and_descriptors_equal_the_original_ones(network):
    images = random_images(1, 3, 70, 90)
    scores, features = network.dense_maps(images)
    _, fused_features = fuse(network).dense_maps(images)
    keypoints = network.detect(scores[0], features[0], max_keypoints=None).keypoints
    expected = network.desc_head(features[0], keypoints)
    actual = fuse(network).desc_head(fused_features[0], keypoints)
    assert len(keypoints) > 20
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_tile_with_context_equals_the_original_one(network):
    images = random_images(1, 3, 128, 160)
    tile = Tile(32, 0, (192, 128), (64, 0, 192, 128))
    left = Tile(0, 0, (192, 128), (0, 0, 64, 128))
    parts = [(random_images(1, 3, 128, 96), left), (images, tile)]
    contexts = [each.global_context(iter(parts)) for each in (network, fuse(network))]
    (expected, _), (scores, _) = (
        each.dense_maps(images, tile._replace(context=context))
        for each, context in zip((network, fuse(network)), contexts, strict=True)
    )
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_float64(network):
    assert_same_maps(network.double(), random_images(1, 3, 64, 64).double(), atol=1e-6)
    network.float()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@torch.inference_mode()
def test_half_precision_is_close(network, dtype):
    images = random_images(1, 3, 64, 96)
    expected, _ = network.dense_maps(images)
    half = fuse(network).to(dtype)
    scores, features = half.dense_maps(images)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, expected, atol=0.1, rtol=0)
    descriptors = half.detect(scores[0], features[0], max_keypoints=20).descriptors
    assert descriptors.dtype == torch.float32
    torch.testing.assert_close(descriptors.norm(dim=1), torch.ones(20))


@pytest.mark.parametrize("pixels", [1, 4, 16])
def test_a_wide_convolution_is_the_convolution(pixels):
    conv = nn.Conv2d(3, 2, 3, padding=1, bias=False)
    maps = torch.randn(2, 3, 5, 32)
    with torch.no_grad():
        actual = _WideConv(conv, pixels=pixels, scale=0.5)(maps)
        torch.testing.assert_close(actual, conv(maps) / 2, atol=1e-5, rtol=0)


class TestFuse:
    def test_the_network_is_not_modified(self):
        network = ALIKED(CONFIGS["small"]).train()
        names = list(network.state_dict())
        fused = fuse(network)
        assert isinstance(fused, FusedALIKED)
        assert not any(part.training for part in fused.modules())
        assert list(network.state_dict()) == names
        assert all(part.training for part in network.modules())
        assert all(weight.requires_grad for weight in network.parameters())

    def test_fused_weights_have_no_gradient(self):
        fused = fuse(ALIKED(CONFIGS["small"]))
        assert list(fused.parameters()) == []
        assert not any(weight.requires_grad for weight in fused.buffers())

    def test_detection_is_that_of_the_original(self):
        for name in ("dense_maps", "encode", "keypoints_at", "suppress_non_maxima", "global_context"):
            assert getattr(FusedALIKED, name) is getattr(ALIKED, name)
