"""Per-layer outputs equal those of truncated networks, and checkpointing does not change gradients."""

import pytest
import torch
from torch import Tensor

from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.models.lightglue.training import LayerwiseLightGlue

SHAPE = LightGlueShape(input_dim=8, dim=16, layers=3, heads=2)


@pytest.fixture
def network() -> LightGlue:
    torch.manual_seed(0)
    return LightGlue(SHAPE)


@pytest.fixture
def inputs() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = [(2, 5, 2), (2, 5, 8), (2, 4, 2), (2, 4, 8)]
    masks = [
        torch.arange(5)[None] < torch.tensor([[5], [3]]),
        torch.arange(4)[None] < torch.tensor([[2], [4]]),
    ]
    return [*(torch.randn(shape, generator=generator) for shape in shapes), *masks]


def test_the_last_output_equals_that_of_the_network(network: LightGlue, inputs: list[Tensor]):
    outputs = LayerwiseLightGlue(network)(*inputs)
    torch.testing.assert_close(outputs[-1].log_assignment, network(*inputs))
    assert outputs[-1].confidence_logits0 is outputs[-1].confidence_logits1 is None


def test_outputs_of_a_layer_equal_those_of_the_truncated_network(network: LightGlue, inputs: list[Tensor]):
    outputs = LayerwiseLightGlue(network)(*inputs)
    torch.testing.assert_close(outputs[1].log_assignment, network.truncated(2)(*inputs))


def test_sigmoid_of_the_logits_is_the_confidence(network: LightGlue):
    tokens = torch.randn(2, 5, 16)
    head = network.token_confidence[0]
    torch.testing.assert_close(head.logits(tokens).sigmoid(), head(tokens))


def test_checkpointing_gives_the_same_gradients(network: LightGlue, inputs: list[Tensor]):
    gradients = []
    for checkpointing in (False, True):
        network.zero_grad()
        outputs = LayerwiseLightGlue(network, checkpointing=checkpointing).train()(*inputs)
        total = sum(o.log_assignment[o.log_assignment.isfinite()].sum() for o in outputs)
        (
            total + sum(o.confidence_logits0.sum() + o.confidence_logits1.sum() for o in outputs[:-1])
        ).backward()
        gradients.append([parameter.grad.clone() for parameter in network.parameters()])
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, again)


def test_the_confidence_loss_trains_only_the_confidence(network: LightGlue, inputs: list[Tensor]):
    outputs = LayerwiseLightGlue(network)(*inputs)
    sum(o.confidence_logits0.sum() for o in outputs[:-1]).backward()
    trained = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert trained == {name for name in trained if name.startswith("token_confidence")} != set()
