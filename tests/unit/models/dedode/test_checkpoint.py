"""Checkpoints of DaD and DeDoDe, alone and in LoMa's file: strict, and one error for a file of the other."""

import pytest
import torch
from tests.helpers.tiny_detectors import DEDODE, DEDODE_G, SIZES, noise, tiny_dad, tiny_dedode

from tiepoint.errors import WeightsError
from tiepoint.models.dedode.checkpoint import build_dad, build_dedode, build_loma
from tiepoint.models.dedode.dad import DaD
from tiepoint.models.dedode.descriptor import DeDoDe, DeDoDeConfig


def loma_file(config: DeDoDeConfig) -> dict[str, torch.Tensor]:
    parts = {"_detector.": tiny_dad(), "_descriptor.": tiny_dedode(config)}
    tensors = {
        prefix + name: tensor for prefix, part in parts.items() for name, tensor in part.state_dict().items()
    }
    return tensors | {"log_assignment.0.final_proj.weight": torch.zeros(2, 2)}


@pytest.mark.parametrize("config", [DEDODE, DEDODE_G], ids=["B", "G"])
@torch.inference_mode()
def test_lomas_file_contains_both(config: DeDoDeConfig):
    network = build_loma(loma_file(config), config, DaD(SIZES))
    assert not any(module.training for module in network.modules())
    (found,) = network(noise(40, 56), max_keypoints=20)
    (expected,) = tiny_dad()(noise(40, 56), max_keypoints=20)
    assert torch.equal(found.keypoints, expected.keypoints)
    assert found.descriptors.shape == (20, 12)


def test_half_precision_is_converted():
    file = {n: t.half() if "dinov2" in n else t for n, t in loma_file(DEDODE_G).items()}
    network = build_loma(file, DEDODE_G, DaD(SIZES))
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("missing", ["_detector.", "_descriptor."])
def test_a_file_with_the_matcher_only(missing: str):
    file = {name: tensor for name, tensor in loma_file(DEDODE).items() if not name.startswith(missing)}
    with pytest.raises(WeightsError, match=rf"{missing}\*.*got none.*extractor_weights"):
        build_loma(file, DEDODE, DaD(SIZES))


@pytest.fixture(scope="module")
def published() -> dict[str, dict[str, torch.Tensor]]:
    with torch.device("meta"):
        return {"DaD": DaD().state_dict(), "DeDoDe-B": DeDoDe(DeDoDeConfig()).state_dict()}


def test_weights_of_the_other_network_are_named(published: dict[str, dict[str, torch.Tensor]]):
    with pytest.raises(
        WeightsError, match=r"cannot load DaD weights.*these are weights of DeDoDe-B, a descriptor"
    ):
        build_dad(published["DeDoDe-B"])
    with pytest.raises(
        WeightsError, match=r"cannot load DeDoDe-B weights.*these are weights of DaD, a detector"
    ):
        build_dedode(published["DaD"])


def test_descriptors_of_another_dimension(published: dict[str, dict[str, torch.Tensor]]):
    with pytest.raises(WeightsError, match=r"out_conv\.\w+ must have shape"):
        build_dedode(published["DeDoDe-B"], DeDoDeConfig(dim=128))


def test_a_missing_tensor_is_named(published: dict[str, dict[str, torch.Tensor]]):
    state = {name: t for name, t in published["DaD"].items() if name != "decoder.layers.4.out_conv.bias"}
    with pytest.raises(WeightsError, match=r"missing decoder\.layers\.4\.out_conv\.bias"):
        build_dad(state)
