"""Conversion of models from and to transformers."""

import sys

import pytest
import torch
from tests.helpers.random_networks import random_model, tiny_config

from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.huggingface import (
    LightGlueConfig,
    LightGlueForKeypointMatching,
    from_transformers,
    to_transformers,
)

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def model() -> LightGlueForKeypointMatching:
    return random_model(tiny_config(filter_threshold=0.2, depth_confidence=1.0))


def test_tensors_and_settings_survive_the_round_trip(model):
    back = from_transformers(to_transformers(model))
    for name, tensor in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor), name
    for name in ("num_hidden_layers", "descriptor_dim", "filter_threshold", "depth_confidence"):
        assert getattr(back.config, name) == getattr(model.config, name)
    assert not back.training


def test_randomly_initialized_model_of_transformers():
    """In random weights of transformers, query and key projections of cross-attention differ."""
    theirs = transformers.LightGlueForKeypointMatching(
        transformers.LightGlueConfig(num_hidden_layers=1, descriptor_dim=64)
    )
    assert not from_transformers(theirs).matcher.shape.shared_qk
    for name, tensor in to_transformers(from_transformers(theirs)).state_dict().items():
        assert torch.equal(tensor, theirs.state_dict()[name]), name
    cross = theirs.transformer_layers[0].cross_attention
    cross.k_proj.load_state_dict(cross.q_proj.state_dict())
    ours = from_transformers(theirs)
    assert torch.equal(ours.matcher.transformers[0].cross_attn.to_qk.weight, cross.q_proj.weight)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtype_is_kept_in_both_directions(model, dtype):
    theirs = to_transformers(random_model(tiny_config()).to(dtype))
    assert theirs.dtype == dtype
    assert from_transformers(theirs).dtype == dtype


def test_no_memory_is_shared(model):
    theirs = to_transformers(model)
    before = model.matcher.posenc.Wr.weight.clone()
    with torch.no_grad():
        theirs.positional_encoder.projector.weight.zero_()
    assert torch.equal(model.matcher.posenc.Wr.weight, before)
    ours = from_transformers(theirs)
    with torch.no_grad():
        theirs.positional_encoder.projector.weight.fill_(1)
    assert ours.matcher.posenc.Wr.weight.unique().tolist() == [0]


def test_other_models_are_rejected(model):
    for other in (torch.nn.Linear(1, 1), transformers.SuperPointForKeypointDetection, model.config, None):
        with pytest.raises(InvalidInput, match="expected transformers' LightGlueForKeypointMatching"):
            from_transformers(other)


def test_transformers_supports_superpoint_only():
    config = LightGlueConfig(keypoint_detector_config={"model_type": "aliked", "variant": "t16"})
    with pytest.raises(InvalidInput, match="'superpoint', got 'aliked'"):
        to_transformers(LightGlueForKeypointMatching(config))


def test_without_transformers_the_pip_command_is_named(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependency, match=r"pip install .transformers"):
        to_transformers(model)
