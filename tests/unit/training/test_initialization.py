"""Initial weights: random, pretrained, truncated, or from a file; and the teacher."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.training.config import ModelConfig
from tiepoint.training.initialization import (
    InitialWeights,
    Pretrained,
    load_pretrained,
    random_network,
    weights_identity,
)


class UnusedDetector(nn.Module):
    """A detector with descriptors of 16 dimensions that is never run."""

    descriptor_dim = 16

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))


@pytest.fixture
def matcher() -> LightGlue:
    return random_network(LightGlueShape(input_dim=16, dim=32, layers=3, heads=2), seed=5).eval()


@pytest.fixture
def pretrained(matcher: LightGlue) -> Pretrained:
    extractor = NeuralExtractor(UnusedDetector(), ExtractionSettings(kind="unused@1"))
    return Pretrained("unused", extractor, matcher)


@pytest.fixture
def other_weights(tmp_path: Path) -> Path:
    """Weights for descriptors of 8 dimensions."""
    other = random_network(LightGlueShape(input_dim=8, dim=8, layers=1, heads=1), seed=0)
    save_file(other.state_dict(), tmp_path / "other.safetensors")
    return tmp_path / "other.safetensors"


def initial(pretrained: Pretrained, seed: int = 0, **config: Any) -> InitialWeights:
    return InitialWeights(config=ModelConfig(**config), pretrained=pretrained, seed=seed)


def test_random_weights_depend_on_the_seed(pretrained: Pretrained) -> None:
    first, same, other = (
        initial(pretrained, seed, layers=2, width=8, heads=2).network() for seed in (1, 1, 2)
    )
    assert first.shape == LightGlueShape(input_dim=16, dim=8, layers=2, heads=2)
    assert first.training
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, same.state_dict()[name])
    assert not torch.equal(first.posenc.Wr.weight, other.posenc.Wr.weight)


def test_global_random_state_is_unchanged() -> None:
    before = torch.get_rng_state()
    random_network(LightGlueShape(input_dim=8, dim=8, layers=1, heads=1), seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_pretrained_matcher_is_copied(pretrained: Pretrained, matcher: LightGlue) -> None:
    network = initial(pretrained, init="official").network()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    assert not torch.equal(network.posenc.Wr.weight, matcher.posenc.Wr.weight)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_truncated_network_keeps_its_heads(pretrained: Pretrained, matcher: LightGlue) -> None:
    network = initial(pretrained, init="official", layers=2).network()
    assert network.shape.layers == 2
    assert network.training
    assert len(network.token_confidence) == 1
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, matcher.state_dict()[name])


@pytest.mark.parametrize(
    ("size", "message"),
    [({"layers": 4}, "3 layers.*4"), ({"width": 64}, "width.*32 to 64"), ({"heads": 4}, "heads.*2 to 4")],
    ids=str,
)
def test_pretrained_weights_have_a_fixed_size(
    pretrained: Pretrained, size: dict[str, int], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        initial(pretrained, init="official", **size).network()


def test_weights_from_a_file_and_from_an_output_folder(
    pretrained: Pretrained, matcher: LightGlue, tmp_path: Path
) -> None:
    save_file(matcher.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "checkpoint.pt").write_bytes(b"another file")
    for name in (tmp_path / "model.safetensors", tmp_path):
        network = initial(pretrained, init=name).network()
        assert torch.equal(network.posenc.Wr.weight, matcher.posenc.Wr.weight)
    assert weights_identity(tmp_path) == weights_identity(tmp_path / "model.safetensors")
    assert weights_identity("official") == "official"


def test_weights_for_other_descriptors_are_refused(pretrained: Pretrained, other_weights: Path) -> None:
    with pytest.raises(InvalidInput, match=r"8 dimensions.*unused has 16"):
        initial(pretrained, init=other_weights).network()


def test_teacher_for_other_descriptors_is_refused(pretrained: Pretrained, other_weights: Path) -> None:
    with pytest.raises(InvalidInput, match=r"teacher .*8 dimensions.*unused has 16"):
        initial(pretrained, teacher=other_weights).teacher()


def test_teacher_is_frozen(pretrained: Pretrained) -> None:
    weights = initial(pretrained, teacher="official")
    teacher = weights.teacher()
    assert teacher is not None
    assert not teacher.training
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert weights.settings()["model.teacher"] == "official"


def test_settings_identify_weights_by_content(pretrained: Pretrained, other_weights: Path) -> None:
    settings = initial(pretrained, init=other_weights, layers=1).settings()
    assert settings["model.init"] == weights_identity(other_weights)
    assert (settings["model.layers"], settings["model.width"]) == (1, None)
    assert initial(pretrained).settings()["model.layers"] == 5


def test_missing_pretrained_matcher_is_named(pretrained: Pretrained) -> None:
    without = Pretrained("unused", pretrained.extractor, None)
    with pytest.raises(InvalidInput, match=r"no pretrained LightGlue for unused.*scratch"):
        initial(without, init="official").network()


def test_missing_file_is_named(pretrained: Pretrained, tmp_path: Path) -> None:
    with pytest.raises((InvalidInput, WeightsError), match="nowhere"):
        initial(pretrained, init=tmp_path / "nowhere.pth").network()


def test_unknown_extractor_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"extractor 'sift'.*aliked-n16"):
        load_pretrained("sift", torch.device("cpu"))


@pytest.mark.weights
def test_extractor_without_a_matcher() -> None:
    pretrained = load_pretrained("aliked-t16", torch.device("cpu"))
    assert pretrained.matcher is None
    assert pretrained.extractor.descriptor_dim == 64


@pytest.mark.slow
@pytest.mark.weights
def test_pretrained_matcher_is_the_one_of_the_paper() -> None:
    pretrained = load_pretrained("aliked-n16", torch.device("cpu"))
    assert pretrained.matcher is not None
    assert pretrained.matcher.shape.layers == 9
