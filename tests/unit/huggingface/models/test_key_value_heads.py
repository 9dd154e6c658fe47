"""Fewer key/value heads and no biases, as transformers' configurations allow, give the same numbers here."""

import pytest
import torch
from tests.helpers.keypoint_matching import noise_pairs
from tests.helpers.random_networks import tiny_config

from tiepoint.huggingface import LightGlueForKeypointMatching

transformers = pytest.importorskip("transformers")


@pytest.mark.slow
@pytest.mark.usefixtures("inference_mode")
@pytest.mark.parametrize(
    "settings",
    [
        {"num_attention_heads": 4, "num_key_value_heads": 2},
        {"num_key_value_heads": 1},
        {"attention_bias": False},
    ],
    ids=["2 of 4", "1 of 2", "no bias"],
)
def test_results_are_those_of_transformers(settings, tmp_path):
    config = tiny_config(max_keypoints=40, depth_confidence=1.0, width_confidence=1.0, **settings)
    torch.manual_seed(0)
    theirs = transformers.LightGlueForKeypointMatching(
        transformers.LightGlueConfig.from_dict(config.to_dict())
    )
    theirs.eval().save_pretrained(tmp_path / "theirs")
    ours = LightGlueForKeypointMatching.from_pretrained(tmp_path / "theirs")
    assert (ours.config.num_key_value_heads, ours.config.attention_bias) == (
        ours.config.num_attention_heads,
        True,
    )
    images = noise_pairs(1)
    expected = theirs(images)
    keypoints, _, descriptors, mask = theirs.keypoint_detector(images.flatten(0, 1))[:4]
    found = {"keypoints": keypoints, "descriptors": descriptors, "mask": mask}
    actual = ours(images, **{name: values.unflatten(0, (-1, 2)) for name, values in found.items()})
    torch.testing.assert_close(actual.matching_scores, expected.matching_scores, atol=1e-5, rtol=0)
    ours.save_pretrained(tmp_path / "ours")
    again = transformers.LightGlueForKeypointMatching.from_pretrained(tmp_path / "ours")
    torch.testing.assert_close(again(images).matching_scores, expected.matching_scores, atol=1e-5, rtol=0)
