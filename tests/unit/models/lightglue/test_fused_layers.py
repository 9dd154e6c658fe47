"""The fused layers compute the same function as the original ones, with another order of rounding."""

import copy

import pytest
import torch
from torch.nn import functional as F

from tiepoint.models.lightglue import fused_layers as module
from tiepoint.models.lightglue.attention import PackedAttention
from tiepoint.models.lightglue.fused_layers import FusionCache, fuse, linear, rotate_halves
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


class TestFusionCache:
    def test_a_network_is_fused_once(self):
        cache, network = FusionCache(), network_of(SHAPES["one head"])
        fused = cache.fuse(network)
        assert cache.fuse(network) is fused
        other = copy.deepcopy(network)
        assert cache.fuse(other) is not fused

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
    @torch.no_grad()
    def test_changed_weights_are_fused_again(self, change):
        cache, network = FusionCache(), network_of(SHAPES["one head"])
        before = cache.fuse(network)
        change(network)
        after = cache.fuse(network)
        assert after is not before
        x, rotation = tokens_of(network, 7)
        attention = PackedAttention([3, 4])
        expected, actual = (list(each.layers(x, rotation, attention))[-1] for each in (network, after))
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


def random(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


@pytest.mark.parametrize("rows", [0, 1, 2, 33, 511, 512, 701])
@pytest.mark.parametrize("columns", [(8, 24), (256, 768), (64, 1)])
def test_linear_equals_the_original_product(rows: int, columns: tuple[int, int]):
    i, o = columns
    x, weight, bias = random(rows, i), random(o, i), random(o)
    for offset in (bias, None):
        found, expected = (
            linear(x, weight, offset),
            F.linear(x.double(), weight.double(), offset if offset is None else offset.double()),
        )
        assert found.shape == (rows, o)
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)


def test_linear_accepts_views():
    for rows in (8, 600):
        x, weight = random(rows + 4, 40)[2:-2, 5:37], random(32, 16).T
        torch.testing.assert_close(linear(x, weight), x @ weight.T, rtol=1e-5, atol=1e-4)


def test_onednn_compiles_few_sizes(monkeypatch: pytest.MonkeyPatch):
    sizes: set[int] = set()

    class Recorder:
        def _linear_pointwise(self, x: torch.Tensor, weight: torch.Tensor, *_: object) -> torch.Tensor:
            sizes.add(len(x))
            return x @ weight.T

    monkeypatch.setattr(module, "_USE_ONEDNN", True)
    monkeypatch.setattr(torch.ops, "mkldnn", Recorder())
    weight = torch.ones(1, 1)
    for rows in range(0, 3000, 7):
        x = torch.arange(float(rows))[:, None]
        assert torch.equal(linear(x, weight), x)
    assert min(sizes) >= module.MIN_ONEDNN_ROWS
    assert len(sizes) < 50
    assert {512, 1024, 2048} <= {module.padded_rows(rows) for rows in (512, 1024, 2048)}


def test_padding_is_small():
    for rows in (0, 1, 31, 63, *range(module.MIN_ONEDNN_ROWS, 70_000, 13)):
        assert rows <= module.padded_rows(rows) <= rows * (1 + 1 / 16)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes_use_torch(dtype: torch.dtype):
    x, weight = random(600, 8, dtype=dtype), random(3, 8, dtype=dtype)
    assert torch.equal(linear(x, weight), F.linear(x, weight))


def test_a_disabled_onednn_is_not_used(monkeypatch: pytest.MonkeyPatch):
    called: list[bool] = []
    monkeypatch.setattr(module.F, "linear", lambda x, *_: called.append(True) or x)
    monkeypatch.setattr(module, "_USE_ONEDNN", True)
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    linear(random(600, 4), random(4, 4))
    assert called == [True]
