"""Strict loading names what doesn't fit, and leaves nothing unfilled."""

import pytest
import torch
from torch import nn

from tiepoint.errors import WeightsError
from tiepoint.models.checkpoint import list_names, load_strictly


def norm_on_meta() -> nn.Module:
    with torch.device("meta"):
        return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def tensors() -> dict[str, torch.Tensor]:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).state_dict()


def test_every_tensor_is_taken_bit_for_bit():
    network, state = norm_on_meta(), tensors()
    load_strictly(network, state, "Norm")
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in state.items())


def test_a_missing_counter_becomes_zero_and_the_network_can_move():
    network, state = norm_on_meta(), tensors()
    del state["1.num_batches_tracked"]
    load_strictly(network, state, "Norm")
    assert network.to(torch.float64).state_dict()["1.num_batches_tracked"] == 0


def test_missing_and_unexpected_tensors_are_named():
    state = tensors()
    state["2.weight"] = state.pop("0.bias")
    with pytest.raises(WeightsError, match=r"Norm.*missing 0\.bias; unexpected 2\.weight"):
        load_strictly(norm_on_meta(), state, "Norm")


def test_a_wrong_shape_is_named_with_both_shapes():
    state = tensors() | {"0.weight": torch.zeros(3, 5)}
    with pytest.raises(WeightsError, match=r"0\.weight .*\(3, 2\).*\(3, 5\)"):
        load_strictly(norm_on_meta(), state, "Norm")


def test_long_lists_are_cut():
    assert list_names(f"t{number}" for number in range(7)) == "t0, t1, t2, t3, t4 and 2 more"
