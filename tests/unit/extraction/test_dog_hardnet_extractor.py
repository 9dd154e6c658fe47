"""DoG-HardNet: SIFT's keypoints, masks and limits; weights by path."""

from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch

import tiepoint
from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.models.hardnet import HardNet
from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.training.initialization import random_network


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like that of HardNet's authors."""
    folder = tmp_path_factory.mktemp("hardnet")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = HardNet().state_dict()
    torch.save({"epoch": 1, "state_dict": state}, folder / "hardnet.pth")
    torch.save({"state_dict": {"features.0.weight": torch.ones(1)}}, folder / "other.pth")
    return folder


@pytest.fixture(scope="module")
def matcher_weights(weights: Path) -> Path:
    """A tiny LightGlue for 128 dimensions, scales and orientations."""
    shape = LightGlueShape(input_dim=128, dim=16, layers=1, heads=1, position_dim=4)
    torch.save(random_network(shape, 0).state_dict(), weights / "matcher.pth")
    return weights / "matcher.pth"


@pytest.mark.slow
def test_preset_with_weights_by_path(weights: Path, matcher_weights: Path) -> None:
    matcher = tiepoint.load(
        "doghardnet+lightglue",
        extractor_weights=weights / "hardnet.pth",
        matcher_weights=matcher_weights,
        max_keypoints=60,
        resize=None,
        device="cpu",
    )
    image = skimage.data.astronaut()[::2, ::2].copy()
    mask = np.zeros((256, 256), bool)
    mask[:, :128] = True
    features = matcher.extract(image, mask=mask)
    assert 0 < len(features) <= 60
    assert features.descriptors.shape == (len(features), 128)
    assert torch.allclose(features.descriptors.norm(dim=1), torch.ones(len(features)), atol=1e-5)
    assert float(features.keypoints[:, 0].max()) < 128
    assert features.kind.startswith("doghardnet@")
    assert matcher.match(image, image).features0.scales is not None
    blank = matcher.extract(np.zeros((64, 64, 3), np.uint8))
    assert blank.descriptors.shape == (0, 128)


def test_other_weights_are_refused(weights: Path, matcher_weights: Path) -> None:
    with pytest.raises(WeightsError, match="HardNet"):
        tiepoint.load(
            "doghardnet+lightglue",
            extractor_weights=weights / "other.pth",
            matcher_weights=matcher_weights,
            device="cpu",
        )


def test_a_latency_budget_is_refused(weights: Path, matcher_weights: Path) -> None:
    with pytest.raises(InvalidInput, match=r"latency_budget_ms.*doghardnet"):
        tiepoint.load(
            "doghardnet+lightglue",
            extractor_weights=weights / "hardnet.pth",
            matcher_weights=matcher_weights,
            latency_budget_ms=100.0,
            views=None,
            device="cpu",
        )
