"""Models with small random weights."""

from collections.abc import Iterator

import pytest
import torch
from tests.helpers.random_networks import random_model, tiny_config

from tiepoint.huggingface import LightGlueForKeypointMatching


@pytest.fixture
def inference_mode() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def adaptive_model() -> LightGlueForKeypointMatching:
    """Model whose pairs stop after different layers and lose keypoints; the number of keypoints is not limited."""
    return random_model(tiny_config(max_keypoints=-1, depth_confidence=0.9, width_confidence=0.7))


@pytest.fixture
def model() -> LightGlueForKeypointMatching:
    """Model without adaptive inference."""
    return random_model(tiny_config(max_keypoints=100, depth_confidence=-1, width_confidence=-1))
