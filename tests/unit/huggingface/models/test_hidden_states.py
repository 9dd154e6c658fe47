"""Hidden states and attention weights on request."""

import warnings

import pytest
import torch
from tests.helpers.keypoint_matching import FIELDS, noise_pairs

pytestmark = pytest.mark.usefixtures("inference_mode")


@pytest.mark.parametrize(
    ("options", "num_states", "num_attentions"),
    [
        ({"output_hidden_states": True}, 21, None),
        ({"output_attentions": True}, None, 6),
        ({"output_hidden_states": True, "output_attentions": True}, 21, 6),
    ],
)
def test_requested_fields_are_returned(model, options, num_states, num_attentions):
    images = noise_pairs(2)
    output = model(images, **options)
    assert (output.hidden_states and len(output.hidden_states)) == num_states
    assert (output.attentions and len(output.attentions)) == num_attentions
    if num_states:
        assert {tuple(s.shape) for s in output.hidden_states} == {(4, 100, 64), (4, 100, 128)}
    if num_attentions:
        assert {tuple(a.shape) for a in output.attentions} == {(4, 2, 100, 100)}
        torch.testing.assert_close(output.attentions[0].sum(-1), torch.ones(4, 2, 100))
    expected = model(images)
    for name in FIELDS:
        actual = getattr(output, name)
        torch.testing.assert_close(actual, getattr(expected, name), atol=1e-5, rtol=0, msg=name)


def test_padding_does_not_change_results(adaptive_model):
    config = adaptive_model.config
    config.depth_confidence = config.width_confidence = -1
    images = noise_pairs(2)
    try:
        output, expected = adaptive_model(images, output_hidden_states=True), adaptive_model(images)
    finally:
        config.depth_confidence, config.width_confidence = 0.9, 0.7
    assert (expected.mask == 0).any()
    for name in FIELDS:
        actual = getattr(output, name)
        torch.testing.assert_close(actual, getattr(expected, name), atol=1e-5, rtol=0, msg=name)


def test_one_warning_says_that_adaptive_inference_is_off(adaptive_model, model):
    with pytest.warns(UserWarning, match="adaptive inference is off in this call") as caught:
        output = adaptive_model(noise_pairs(1), output_attentions=True)
    assert len(caught) == 1
    assert output.prune[output.mask.bool()].unique().tolist() == [3]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(noise_pairs(1), output_attentions=True)
