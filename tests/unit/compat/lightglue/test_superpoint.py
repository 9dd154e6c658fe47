from pathlib import Path

import pytest
import torch
from tests.helpers.random_networks import draw_superpoint

from tiepoint.compat.lightglue import SuperPoint
from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.models.superpoint.network import SuperPoint as Network, SuperPointShape

TINY = SuperPointShape(widths=(8, 8, 16, 16), head_width=32, dim=24)
IMAGE = torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = Network(TINY)
    draw_superpoint(network, IMAGE)
    torch.save(network.state_dict(), tmp_path / "superpoint.pth")
    return tmp_path / "superpoint.pth"


def test_options(weights: Path) -> None:
    features = SuperPoint(weights=weights, max_num_keypoints=None).extract(IMAGE, resize=None)
    keypoints, scores = features["keypoints"][0], features["keypoint_scores"][0]
    assert features["descriptors"].shape == (1, len(keypoints), 24)
    raster = keypoints[:, 1] * 96 + keypoints[:, 0]
    assert torch.equal(raster, raster.sort().values)
    assert bool((keypoints >= 4).all())

    best = SuperPoint(weights=weights, max_num_keypoints=5).extract(IMAGE, resize=None)["keypoint_scores"][0]
    torch.testing.assert_close(best, scores.sort(descending=True).values[:5])

    near_border = SuperPoint(weights=weights, remove_borders=0).extract(IMAGE, resize=None)
    assert float(near_border["keypoints"].min()) < 4
    dense = SuperPoint(weights=weights, nms_radius=1).extract(IMAGE, resize=None)
    assert dense["keypoints"].shape[1] > len(keypoints)


def test_the_license_has_to_be_accepted() -> None:
    with pytest.raises(WeightsError, match="accept_license=True"):
        SuperPoint(max_num_keypoints=2048)


def test_invalid_options(weights: Path) -> None:
    with pytest.raises(InvalidInput, match="max_num_keypoints"):
        SuperPoint(weights=weights, max_num_keypoints=0)
    with pytest.raises(InvalidInput, match="did you mean 'detection_threshold'"):
        SuperPoint(weights=weights, detection_treshold=0.1)
