"""OpenCV's normalization of keypoints: by width and height apart."""

import torch
from benchmarks.options.normalization import stretched

from tiepoint.models.lightglue.network import normalize_keypoints
from tiepoint.types import Features


def test_stretched_features_are_normalized_by_width_and_height() -> None:
    keypoints = torch.tensor([[0.0, 0.0], [100.0, 60.0], [200.0, 60.0]], dtype=torch.float32)
    descriptors, scores = torch.eye(3, dtype=torch.float32), torch.ones(3, dtype=torch.float32)
    features = Features(keypoints=keypoints, scores=scores, descriptors=descriptors, image_size=(200, 60))
    positions = stretched(features)
    normalized = normalize_keypoints(
        positions.keypoints, torch.tensor(positions.image_size, dtype=torch.float32)
    )
    expected = torch.tensor([[-1.0, -1.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float32)
    assert torch.allclose(normalized, expected, atol=1e-6)
