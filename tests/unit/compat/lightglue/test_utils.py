import numpy as np
import pytest
import torch
from tests.helpers.compat_lightglue import tiny_lightglue
from tests.helpers.fake_networks import IdentityDetector

from tiepoint.compat import lightglue
from tiepoint.compat.lightglue.extractor import Extractor
from tiepoint.compat.lightglue.utils import batch_to_device, map_tensor, match_pair, rbd
from tiepoint.errors import InvalidInput


def test_rbd_returns_the_first_items() -> None:
    data = {
        "tensor": torch.tensor([[1, 2]]),
        "array": np.ones((1, 3)),
        "list": ["a", "b"],
        "stop": 7,
        "name": "x",
    }
    first = rbd(data)
    assert first["tensor"].tolist() == [1, 2]
    assert first["array"].shape == (3,)
    assert (first["list"], first["stop"], first["name"]) == ("a", 7, "x")


def test_map_tensor_visits_nested_values() -> None:
    nested = {"a": torch.ones(2), "b": [torch.zeros(1), "text", 3], "c": {"d": torch.ones(1)}}
    doubled = map_tensor(nested, lambda tensor: 2 * tensor)
    assert doubled["a"].tolist() == [2, 2]
    assert doubled["b"][1:] == ["text", 3]
    assert doubled["c"]["d"].tolist() == [2]


def test_batch_to_device_detaches() -> None:
    moved = batch_to_device({"x": torch.ones(1, requires_grad=True), "stop": 3}, "meta")
    assert (moved["x"].device.type, moved["x"].requires_grad, moved["stop"]) == ("meta", False, 3)


def test_match_pair() -> None:
    extractor = Extractor(IdentityDetector(), {"max_num_keypoints": 40, "detection_threshold": 0.5})
    matcher = tiny_lightglue(input_dim=2)
    images = torch.rand(2, 3, 50, 60, generator=torch.Generator().manual_seed(0))
    features0, features1, matches = match_pair(extractor, matcher, *images, resize=None)
    assert features0["keypoints"].shape == features1["keypoints"].shape == (40, 2)
    assert matches["matches0"].shape == (40,)
    assert matches["matches"].shape == (len(matches["scores"]), 2)


@pytest.mark.parametrize("name", ["SIFT", "DoGHardNet"])
def test_unavailable_extractors_say_what_to_use(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name}.*ALIKED"):
        getattr(lightglue, name)(max_num_keypoints=10)


def test_public_names_resolve() -> None:
    assert {"ALIKED", "DISK", "LightGlue", "SuperPoint", "match_pair", "utils", "viz2d"} <= set(
        dir(lightglue)
    )
    assert all(getattr(lightglue, name) for name in lightglue.__all__)
