"""Outputs as objects, dicts and tuples, like those of transformers."""

import copy
import pickle

import pytest
import torch
from tests.helpers.keypoint_matching import FIELDS, HEIGHT, WIDTH, noise_pairs
from torch.utils._pytree import tree_map

from tiepoint.huggingface.models.outputs import LightGlueKeypointMatchingOutput

pytestmark = pytest.mark.usefixtures("inference_mode")


def test_output_is_an_object_a_mapping_and_a_tuple(model):
    output = model(noise_pairs(1))
    assert output.loss is output.hidden_states is output.attentions is None
    assert (*output.keys(), "image_sizes") == FIELDS
    assert output["matches"] is output.matches is output[0]
    assert output[-1] is output.mask
    assert [name for name in output] == list(FIELDS[:-1])  # noqa: C416, iteration is what is tested
    assert len(output) == len(output.to_tuple()) == len({**output}) == 5
    assert isinstance(output, dict)
    assert output.get("attentions", 7) == 7
    assert "image_sizes" not in output
    assert output.image_sizes.tolist() == [[[HEIGHT, WIDTH]] * 2]
    with pytest.raises(KeyError):
        output["attentions"]


def test_return_dict_false_returns_the_tuple(model):
    output = model(noise_pairs(1), return_dict=False)
    assert isinstance(output, tuple)
    assert torch.equal(output[0], model(noise_pairs(1)).matches)


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(shape, dtype=torch.long)


def example() -> LightGlueKeypointMatchingOutput:
    return LightGlueKeypointMatchingOutput(
        mask=ones(1, 2, 3), matches=ones(1, 2, 3), image_sizes=ones(1, 2, 2)
    )


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda output: output.copy(),
        lambda output: pickle.loads(pickle.dumps(output)),
        lambda output: tree_map(torch.clone, output),
    ],
    ids=["copy", "deepcopy", "method", "pickle", "pytree"],
)
def test_copies_keep_all_fields(copied):
    output = copied(example())
    assert list(output) == ["matches", "mask"]
    assert torch.equal(output.image_sizes, ones(1, 2, 2))


def test_fields_are_set_by_attribute_or_key():
    output = example()
    output.keypoints = torch.zeros(1, 2, 3, 2)
    output["prune"] = ones(1, 2, 3)
    assert list(output) == ["matches", "keypoints", "prune", "mask"]
    output.keypoints = None
    assert list(output) == ["matches", "prune", "mask"]
    with pytest.raises(KeyError, match="available: loss, matches"):
        output["scores"] = ones(1)


def test_a_dict_sets_the_fields_by_name():
    output = LightGlueKeypointMatchingOutput({"mask": ones(1, 2, 3)})  # type: ignore[arg-type]
    assert output.loss is None
    assert list(output) == ["mask"]


@pytest.mark.parametrize("method", ["pop", "popitem", "setdefault", "update", "__delitem__"])
def test_fields_cannot_be_removed_or_added(method):
    arguments = () if method == "popitem" else ("mask",)
    with pytest.raises(TypeError, match="fields"):
        getattr(example(), method)(*arguments)
