"""SuperPoint's key tables and strict loading."""

import pytest
import torch
from tests.helpers.tiny_superpoint import TINY, TINY_OPEN, tiny

from tiepoint.errors import WeightsError
from tiepoint.models.checkpoint import load_strictly
from tiepoint.models.superpoint.checkpoint import (
    DETECTOR_PREFIX,
    build,
    detector_of,
    family_of,
    from_original,
    shape_of,
    to_original,
)
from tiepoint.models.superpoint.network import SuperPoint


@pytest.mark.parametrize("shape", [TINY, TINY_OPEN], ids=["original", "open"])
@pytest.mark.parametrize("prefix", ["", DETECTOR_PREFIX])
def test_names_go_both_ways(shape, prefix):
    original = dict(tiny(shape).state_dict())
    family = "open" if shape.batch_norm else "huggingface"
    theirs = from_original(original, family, prefix)
    assert family_of({name.removeprefix(prefix) for name in theirs}) == family
    assert family_of(original) == "original"
    for state in (original, theirs, from_original(original, "original")):
        back = to_original(state)
        assert back.keys() == original.keys()
        assert all(back[name] is tensor for name, tensor in original.items())
    assert shape_of(original) == build(theirs).shape == shape
    load_strictly(SuperPoint(shape), original, "SuperPoint")


def test_the_detector_is_taken_out_of_a_lightglue():
    inside = from_original(tiny(TINY).state_dict(), "huggingface", DETECTOR_PREFIX)
    state = {**inside, "transformer_layers.0.self_mlp.fc1.weight": torch.rand(2, 2)}
    assert build(detector_of(state)).shape == TINY


def test_counters_of_batch_norms_may_be_missing():
    state = from_original(tiny(TINY_OPEN).state_dict(), "open")
    network = build({name: tensor for name, tensor in state.items() if "num_batches" not in name})
    assert int(network.conv1a.bn.num_batches_tracked) == 0
    assert {tensor.device.type for tensor in network.state_dict().values()} == {"cpu"}


@pytest.mark.parametrize("family", ["original", "huggingface", "open"])
def test_missing_and_unexpected_tensors_are_named(family):
    state = from_original(tiny(TINY_OPEN if family == "open" else TINY).state_dict(), family)
    dropped = next(name for name in state if name.endswith("weight"))
    with pytest.raises(WeightsError, match=f"missing {dropped}"):
        build({name: tensor for name, tensor in state.items() if name != dropped})
    with pytest.raises(WeightsError, match="unexpected extra"):
        build({**state, "extra": torch.rand(1)})
    with pytest.raises(WeightsError, match="must have shape"):
        build({**state, dropped: torch.rand(3, 3)})


@pytest.mark.parametrize(("shape", "family"), [(TINY, "open"), (TINY_OPEN, "huggingface")])
def test_a_family_without_this_form_is_refused(shape, family):
    with pytest.raises(WeightsError, match=f"{family} names"):
        from_original(tiny(shape).state_dict(), family)
