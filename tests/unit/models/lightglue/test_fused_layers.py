"""The folded layers are the plain ones, rounded in another order."""

import copy

import pytest
import torch

from tiepoint.models.lightglue.attention import PackedAttention
from tiepoint.models.lightglue.fused_layers import folded_layers, rotate_halves
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape, Rotation, attend, rotate

SHAPES = {
    "one head": LightGlueShape(input_dim=8, dim=8, layers=2, heads=1),
    "four heads": LightGlueShape(input_dim=16, dim=32, layers=3, heads=4),
    "heads of two columns": LightGlueShape(input_dim=8, dim=12, layers=2, heads=6),
}


class TokenMajorAttention:
    """What `PackedAttention` is to folded layers, for plain ones: tokens (t, heads, e)."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = sizes

    def within(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        images = zip(*(x.split(self.sizes) for x in (q, k, v)), strict=True)
        return torch.cat([attend(q[None], k[None], v[None])[0] for q, k, v in images])

    def across(self, qk: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        qks, vs = qk.split(self.sizes), v.split(self.sizes)
        return torch.cat(
            [attend(qks[i][None], qks[i ^ 1][None], vs[i ^ 1][None])[0] for i in range(len(qks))]
        )


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
def test_each_layer_gives_what_the_plain_one_gives(shape: LightGlueShape, dtype: torch.dtype):
    network = network_of(shape).to(dtype)
    sizes = [5, 9, 1, 30]
    x, rotation = tokens_of(network, sum(sizes))
    plain, packed = TokenMajorAttention(sizes), PackedAttention(sizes)
    bound = 1e-12 if dtype == torch.float64 else 1e-5
    for layer, folded in zip(network.transformers, folded_layers(network), strict=True):
        expected = layer(x, rotation, plain)
        torch.testing.assert_close(folded(x, rotation, packed), expected, rtol=0, atol=bound)
        x = expected


@torch.no_grad()
def test_rotation_is_the_plain_one_with_sorted_columns():
    network = network_of(SHAPES["four heads"])
    _, rotation = tokens_of(network, 7)
    interleaved = torch.randn(7, 4, 8, generator=torch.Generator().manual_seed(1))
    order = torch.tensor([0, 2, 4, 6, 1, 3, 5, 7])
    expected = rotate(interleaved, rotation)[..., order].transpose(0, 1)
    torch.testing.assert_close(rotate_halves(interleaved[..., order].transpose(0, 1), rotation), expected)


def test_layers_are_folded_once():
    network = network_of(SHAPES["one head"])
    assert folded_layers(network) is folded_layers(network)
    assert folded_layers(network) is not folded_layers(copy.deepcopy(network))


@pytest.mark.parametrize(
    "change",
    [
        lambda network: network.load_state_dict(network_of(SHAPES["one head"], seed=1).state_dict()),
        lambda network: network.to(torch.float64),
        lambda network: torch.nn.init.ones_(network.transformers[1].cross_attn.to_out.bias),
        lambda network: setattr(network.transformers[0].self_attn, "out_proj", torch.nn.Linear(8, 8)),
    ],
    ids=["loaded", "cast", "written", "replaced"],
)
def test_changed_weights_are_folded_anew(change):
    network = network_of(SHAPES["one head"])
    before = folded_layers(network)
    change(network)
    assert folded_layers(network) is not before


def test_no_gradient_is_kept():
    layers = folded_layers(network_of(SHAPES["four heads"]))
    assert not any(
        part.requires_grad
        for layer in layers
        for block in (layer.self_block, layer.cross_block)
        for part in (block.weight, block.bias, block.feed_forward.weight_in, block.feed_forward.bias_in)
    )
