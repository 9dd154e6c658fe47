"""The fused layers compute the same function as the original ones, with another order of rounding."""

import pytest
import torch

from tiepoint.models.lightglue import fused_layers as module
from tiepoint.models.lightglue.attention import PackedAttention
from tiepoint.models.lightglue.fused_layers import fuse, rotate_halves
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape, Rotation, rotate

SHAPES = {
    "one head": LightGlueShape(input_dim=8, dim=8, layers=2, heads=1),
    "four heads": LightGlueShape(input_dim=16, dim=32, layers=3, heads=4),
    "heads of two dimensions": LightGlueShape(input_dim=8, dim=12, layers=2, heads=6),
    "separate queries and keys": LightGlueShape(input_dim=16, dim=16, layers=2, heads=2, shared_qk=False),
}


def network_of(shape: LightGlueShape, seed: int = 0) -> LightGlue:
    torch.manual_seed(seed)
    return LightGlue(shape).eval()


def tokens_of(network: LightGlue, count: int) -> tuple[torch.Tensor, Rotation]:
    generator = torch.Generator().manual_seed(count)
    descriptors = torch.randn(count, network.shape.input_dim, generator=generator).to(network.dtype)
    return network.embed(torch.rand(count, network.shape.position_dim, generator=generator), descriptors)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@torch.no_grad()
def test_each_layer_equals_the_original_one(shape: LightGlueShape, dtype: torch.dtype):
    network = network_of(shape).to(dtype)
    fused = fuse(network)
    sizes = [5, 9, 1, 30]
    x, rotation = tokens_of(network, sum(sizes))
    attention = PackedAttention(sizes)
    bound = 1e-12 if dtype == torch.float64 else 1e-5
    for layer in range(shape.layers):
        expected = next(network.layers(x, rotation, attention, start=layer))
        actual = next(fused.layers(x, rotation, attention, start=layer))
        torch.testing.assert_close(actual, expected, rtol=0, atol=bound)
        x = expected


def test_the_product_runs_the_layers_of_lightglue():
    """Only `project` and `update` of the blocks are replaced."""
    assert type(fuse(network_of(SHAPES["one head"]))).layers is LightGlue.layers
    for fused, original in (
        (module.FusedSelfBlock, module.SelfBlock),
        (module.FusedCrossBlock, module.CrossBlock),
    ):
        assert fused.forward is original.forward


@torch.no_grad()
def test_rotation_is_the_original_one_with_permuted_dimensions():
    network = network_of(SHAPES["four heads"])
    _, rotation = tokens_of(network, 7)
    interleaved = torch.randn(4, 7, 8, generator=torch.Generator().manual_seed(1))
    order = torch.tensor([0, 2, 4, 6, 1, 3, 5, 7])
    expected = rotate(interleaved, rotation)[..., order]
    torch.testing.assert_close(rotate_halves(interleaved[..., order], rotation), expected)


class TestFuse:
    def test_the_network_is_not_modified(self):
        network = network_of(SHAPES["four heads"]).train()
        names = list(network.state_dict())
        fuse(network)
        assert list(network.state_dict()) == names
        assert all(part.training for part in network.modules())
        assert all(weight.requires_grad for weight in network.parameters())

    @pytest.mark.parametrize("training", [True, False])
    def test_the_mode_is_that_of_the_network(self, training: bool):
        fused = fuse(network_of(SHAPES["one head"]).train(training))
        assert all(part.training is training for part in fused.modules())

    def test_heads_are_shared(self):
        network = network_of(SHAPES["one head"])
        assert fuse(network).head(0) is network.head(0)
        assert fuse(network).confidence(0) is network.confidence(0)

    def test_fused_weights_have_no_gradient(self):
        buffers = dict(fuse(network_of(SHAPES["four heads"])).named_buffers())
        assert len(buffers) == 3 * 2 * (2 + 4)
        assert not any(weight.requires_grad for weight in buffers.values())
