"""The detector of LightGlueForKeypointMatching follows its configuration."""

import pytest
import torch
from tests.helpers.keypoint_matching import HEIGHT, WIDTH, noise_pairs

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import LightGlueConfig, LightGlueForKeypointMatching


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        ({"keypoint_decoder_dim": 64}, "keypoint_decoder_dim must be 65.*got 64"),
        ({"encoder_hidden_sizes": (8,)}, r"at least 2 levels, got \(8,\)"),
    ],
)
def test_unsupported_superpoint_shapes_are_rejected(detector, message):
    with pytest.raises(InvalidInput, match=message):
        LightGlueForKeypointMatching(LightGlueConfig(keypoint_detector_config=detector))


@pytest.mark.usefixtures("inference_mode")
def test_settings_apply_when_the_model_runs(model):
    model.config.keypoint_detector_config.max_keypoints = 5
    assert model(noise_pairs(1)).mask.sum(dim=2).tolist() == [[5, 5]]
    model.config.keypoint_detector_config.max_keypoints = 100
    model.config.keypoint_detector_config.strict_border = True
    keypoints_px = model(noise_pairs(1)).keypoints[0, 0] * torch.tensor([WIDTH, HEIGHT])
    assert float(keypoints_px[:, 0].max()) < WIDTH - 4
    assert float(keypoints_px[:, 1].max()) < HEIGHT - 4
