"""LightGlueKeypointMatchingOutput as an object, a mapping and a tuple."""

import pytest
import torch
from tests.helpers.keypoint_matching import FIELDS, noise_pairs

pytestmark = pytest.mark.usefixtures("inference_mode")


def test_output_is_an_object_a_mapping_and_a_tuple(model):
    output = model(noise_pairs(1))
    assert output.loss is output.hidden_states is output.attentions is None
    assert tuple(output.keys()) == FIELDS
    assert output["matches"] is output.matches is output[0]
    assert output[-1] is output.image_sizes
    assert [name for name in output] == list(FIELDS)  # noqa: C416, iteration is what is tested
    assert len(output) == len(output.to_tuple()) == 6
    with pytest.raises(KeyError):
        output["attentions"]


def test_return_dict_false_returns_the_tuple(model):
    output = model(noise_pairs(1), return_dict=False)
    assert isinstance(output, tuple)
    assert torch.equal(output[0], model(noise_pairs(1)).matches)
