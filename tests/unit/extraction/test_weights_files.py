"""Weights files of extractors are recognized by their tensors, strictly."""

from pathlib import Path

import pytest
import torch

from tiepoint.errors import WeightsError
from tiepoint.extraction.weights_files import describe_extractor_weights
from tiepoint.models.aliked.network import ALIKED, ALIKED_VARIANTS
from tiepoint.models.raco import RaCo, RaCoConfig


def saved(tensors: dict[str, torch.Tensor], folder: Path) -> Path:
    torch.save(tensors, folder / "some.pth")
    return folder / "some.pth"


def test_raco(tmp_path: Path):
    found = describe_extractor_weights(saved(RaCo(RaCoConfig()).state_dict(), tmp_path))
    assert found is not None
    assert (found["network"], found["license"], found["dtype"]) == ("raco", "Apache-2.0", "float32, int64")
    assert found["presets"] == ["raco-aliked+lightglue"]


def test_variants_that_differ_in_their_training_only(tmp_path: Path):
    found = describe_extractor_weights(saved(ALIKED(ALIKED_VARIANTS["n16rot"]).state_dict(), tmp_path))
    assert found is not None
    assert (found["network"], found["alternatives"]) == ("aliked-n16", ["aliked-n16rot"])


def test_a_missing_tensor_is_an_error(tmp_path: Path):
    state = RaCo(RaCoConfig()).state_dict()
    del state["block4.match_dims.bias"]
    with pytest.raises(WeightsError, match=r"some\.pth.*cannot load RaCo.*missing block4\.match_dims\.bias"):
        describe_extractor_weights(saved(state, tmp_path))


def test_other_networks_are_none_of_them(tmp_path: Path):
    for names in (
        ("fc.weight",),
        ("log_assignment.0.matchability.weight", "log_assignment.0.final_proj.weight"),
    ):
        assert describe_extractor_weights(saved(dict.fromkeys(names, torch.zeros(1)), tmp_path)) is None
