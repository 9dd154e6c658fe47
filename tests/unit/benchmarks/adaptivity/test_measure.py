"""What is recorded per layer is what the inference loop did."""

import pytest
import torch
from benchmarks.adaptivity.measure import measure_pair, noted_confidence
from torch import nn

from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.types import Features

LAYERS = 4


def features(seed: int) -> Features:
    random = torch.Generator().manual_seed(seed)
    descriptors = torch.randn(50, 16, generator=random)
    return Features(
        keypoints=torch.rand(50, 2, generator=random) * 90,
        scores=torch.ones(50),
        descriptors=nn.functional.normalize(descriptors, dim=1),
        image_size=(100, 100),
    )


@pytest.fixture
def network() -> LightGlue:
    torch.manual_seed(0)
    return LightGlue(LightGlueShape(input_dim=16, dim=16, layers=LAYERS, heads=2)).eval()


def test_every_layer_has_its_state(network: LightGlue) -> None:
    record = measure_pair(network, (features(0), features(1)))
    assert [row["layer"] for row in record["layers"]] == list(range(1, LAYERS + 1))
    assert all(0 <= row["confident"] <= 1 for row in record["layers"][:-1])
    assert "confident" not in record["layers"][-1]
    assert record["keypoints"] == 100
    left = [row["keypoints"] for row in record["layers"]]
    assert left == sorted(left, reverse=True)
    assert record["layers_run"] == LAYERS or record["layers"][record["layers_run"] - 1]["confident"] > 0.95


def test_hooks_are_removed(network: LightGlue) -> None:
    with noted_confidence(network) as noted:
        network.confidence(0)(torch.zeros(3, 16))
    network.confidence(0)(torch.zeros(3, 16))
    assert [len(each) for each in noted] == [3]
