"""What a training starts from: random weights by a seed, published ones, the first layers of either."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.training.initialization import (
    Published,
    Sizes,
    Start,
    identity,
    load_published,
    random_network,
    starting_network,
)


class Blind(nn.Module):
    """A detector of 16 columns that is never asked."""

    descriptor_dim = 16

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))


@pytest.fixture
def matcher() -> LightGlue:
    return random_network(LightGlueShape(input_dim=16, dim=32, layers=3, heads=2), seed=5).eval()


@pytest.fixture
def published(matcher: LightGlue) -> Published:
    return Published("blind", NeuralExtractor(Blind(), ExtractionSettings(kind="blind@1")), matcher)


def test_random_weights_follow_from_the_seed(published: Published) -> None:
    sizes = Sizes(layers=2, width=8, heads=2)
    first, same, other = (starting_network("scratch", sizes, published, seed=seed) for seed in (1, 1, 2))
    assert first.shape == LightGlueShape(input_dim=16, dim=8, layers=2, heads=2)
    assert first.training
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, same.state_dict()[name])
    assert not torch.equal(first.posenc.Wr.weight, other.posenc.Wr.weight)


def test_torchs_own_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    random_network(LightGlueShape(input_dim=8, dim=8, layers=1, heads=1), seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_published_matcher_is_copied(published: Published, matcher: LightGlue) -> None:
    network = starting_network("official", Sizes(), published, seed=0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    assert not torch.equal(network.posenc.Wr.weight, matcher.posenc.Wr.weight)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_the_first_layers_keep_their_heads(published: Published, matcher: LightGlue) -> None:
    network = starting_network("official", Sizes(layers=2), published, seed=0)
    assert network.shape.layers == 2
    assert len(network.token_confidence) == 1
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, matcher.state_dict()[name])


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (Sizes(layers=4), "has 3 layers, not 4"),
        (Sizes(width=64), "has width 32, not 64"),
        (Sizes(heads=4), "has heads 2, not 4"),
    ],
    ids=["layers", "width", "heads"],
)
def test_weights_that_exist_have_their_sizes(published: Published, sizes: Sizes, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        starting_network("official", sizes, published, seed=0)


def test_sizes_are_above_0() -> None:
    with pytest.raises(InvalidInput, match="layers must be above 0"):
        Sizes(layers=0)


def test_a_file_and_a_folder_of_a_training_serve(
    published: Published, matcher: LightGlue, tmp_path: Path
) -> None:
    save_file(matcher.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "checkpoint.pt").write_bytes(b"another file")
    for name in (tmp_path / "model.safetensors", tmp_path):
        network = starting_network(name, Sizes(), published, seed=0)
        assert torch.equal(network.posenc.Wr.weight, matcher.posenc.Wr.weight)
    assert identity(tmp_path) == identity(tmp_path / "model.safetensors")
    assert identity("official") == "official"


def test_weights_for_another_descriptor_are_refused(published: Published, tmp_path: Path) -> None:
    other = random_network(LightGlueShape(input_dim=8, dim=8, layers=1, heads=1), seed=0)
    save_file(other.state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(InvalidInput, match="takes descriptors of 8 columns, but blind gives 16"):
        starting_network(tmp_path / "other.safetensors", Sizes(), published, seed=0)


def test_a_teacher_of_another_descriptor_is_refused(published: Published, tmp_path: Path) -> None:
    other = random_network(LightGlueShape(input_dim=8, dim=8, layers=1, heads=1), seed=0)
    save_file(other.state_dict(), tmp_path / "other.safetensors")
    start = Start(
        init="scratch", sizes=Sizes(), seed=0, teacher=tmp_path / "other.safetensors", published=published
    )
    with pytest.raises(
        InvalidInput, match=r"the teacher .* takes descriptors of 8 columns, but blind gives 16"
    ):
        start.teaching_network()


def test_a_teacher_does_not_learn(published: Published) -> None:
    start = Start(init="scratch", sizes=Sizes(), seed=0, teacher="official", published=published)
    teacher = start.teaching_network()
    assert teacher is not None
    assert not teacher.training
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert start.settings()["teacher"] == "official"


def test_without_published_weights_the_way_out_is_named(published: Published) -> None:
    alone = Published("blind", published.extractor, None)
    with pytest.raises(InvalidInput, match="no LightGlue is published for blind; begin from scratch"):
        starting_network("official", Sizes(), alone, seed=0)


def test_a_file_that_is_not_there_is_named(published: Published, tmp_path: Path) -> None:
    with pytest.raises((InvalidInput, WeightsError), match="nowhere"):
        starting_network(tmp_path / "nowhere.pth", Sizes(), published, seed=0)


def test_an_unknown_extractor_is_told_which_there_are() -> None:
    with pytest.raises(InvalidInput, match=r"no extractor 'sift'; there are .*aliked-n16"):
        load_published("sift", torch.device("cpu"))


@pytest.mark.weights
def test_what_is_published_comes_together() -> None:
    found = load_published("aliked-t16", torch.device("cpu"))
    assert found.matcher is None
    assert found.extractor.descriptor_dim == 64


@pytest.mark.weights
def test_published_is_what_the_papers_authors_published_not_our_small_one() -> None:
    found = load_published("aliked-n16", torch.device("cpu"))
    assert found.matcher is not None
    assert found.matcher.shape.layers == 9
