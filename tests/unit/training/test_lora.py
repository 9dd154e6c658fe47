"""Low-rank adaptation: nothing changes at first, only the updates are trained, and merging keeps the function."""

import pytest
import torch
from torch import nn

from tiepoint.matching.adapters import merge
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.training.initialization import random_network
from tiepoint.training.lora import add_lora, has_lora, lora_tensors, merge_lora

SHAPE = LightGlueShape(input_dim=16, dim=32, layers=2, heads=2)
RANK = 4


@pytest.fixture
def base() -> LightGlue:
    return random_network(SHAPE, seed=0)


@pytest.fixture
def adapted() -> LightGlue:
    """The same network with updates, not yet trained."""
    return add_lora(random_network(SHAPE, seed=0), RANK, seed=1)


def train(network: LightGlue) -> None:
    """Change everything that is trained."""
    generator = torch.Generator("cpu").manual_seed(2)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32, device="cpu")
                parameter.add_(noise, alpha=0.1)


def match(network: LightGlue) -> torch.Tensor:
    generator = torch.Generator("cpu").manual_seed(3)
    draw = lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu")  # noqa: E731
    with torch.inference_mode():
        return network.eval()(draw(1, 7, 2), draw(1, 7, 16), draw(1, 5, 2), draw(1, 5, 16))


def test_the_network_computes_the_same_at_first(base: LightGlue, adapted: LightGlue) -> None:
    assert has_lora(adapted)
    assert not has_lora(base)
    assert torch.equal(match(adapted), match(base))


def test_large_weights_are_frozen(adapted: LightGlue) -> None:
    trained = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    frozen = {name for name, parameter in adapted.named_parameters() if not parameter.requires_grad}
    assert frozen
    assert all(name.endswith("parametrizations.weight.original") for name in frozen)
    assert {"log_assignment.0.matchability.weight", "transformers.0.self_attn.ffn.1.weight"} <= trained
    sizes = [
        (adapted.get_parameter(name).numel(), sum(adapted.get_parameter(name).shape) * RANK)
        for name in frozen
    ]
    assert all(size > update for size, update in sizes)


def test_the_seed_determines_the_updates() -> None:
    first, same, other = (
        add_lora(random_network(SHAPE, seed=0), RANK, seed=seed).state_dict() for seed in (1, 1, 2)
    )
    assert all(torch.equal(tensor, same[name]) for name, tensor in first.items())
    assert any(not torch.equal(tensor, other[name]) for name, tensor in first.items())


def test_merging_keeps_the_function(adapted: LightGlue, base: LightGlue) -> None:
    train(adapted)
    merged = merge_lora(adapted)
    assert merged.state_dict().keys() == base.state_dict().keys()
    assert has_lora(adapted)
    torch.testing.assert_close(match(merged), match(adapted), rtol=0, atol=1e-6)
    assert float((match(merged) - match(base)).abs().max()) > 0.1


def test_without_updates_the_network_itself_is_returned(base: LightGlue) -> None:
    assert merge_lora(base) is base


def test_the_tensors_are_the_difference(adapted: LightGlue, base: LightGlue) -> None:
    assert all(name.endswith((".up", ".down")) for name in lora_tensors(adapted, base))
    train(adapted)
    tensors = lora_tensors(adapted, base)
    assert {"log_assignment.0.matchability.weight.delta", "transformers.0.self_attn.Wqkv.weight.up"} <= set(
        tensors
    )
    merged = merge(base.state_dict(), tensors, "test")
    for name, tensor in merge_lora(adapted).state_dict().items():
        torch.testing.assert_close(merged[name], tensor, rtol=0, atol=1e-6)


def test_gradients_reach_only_the_updates(adapted: LightGlue) -> None:
    adapted.train()(
        *(torch.ones(1, 3, dim, dtype=torch.float32, device="cpu") for dim in (2, 16, 2, 16))
    ).sum().backward()
    linear = adapted.get_submodule("transformers.0.self_attn.Wqkv")
    assert isinstance(linear, nn.Linear)
    assert linear.get_parameter("parametrizations.weight.original").grad is None
    assert linear.get_parameter("parametrizations.weight.0.up").grad is not None
