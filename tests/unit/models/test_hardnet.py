"""HardNet: strict loading, unit descriptors."""

import pytest
import torch

from tiepoint.errors import WeightsError
from tiepoint.models.hardnet import HardNet, build


def random_hardnet() -> HardNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return HardNet().eval()


def test_descriptors_have_unit_length_and_ignore_brightness() -> None:
    network = random_hardnet()
    patches = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        first, second = network(patches), network(0.5 * patches + 0.2)
        flat = network(torch.full((1, 1, 32, 32), 0.5))
    assert torch.allclose(first.norm(dim=1), torch.ones(3))
    assert torch.allclose(first, second, atol=1e-4)
    assert not flat.any()


def test_a_missing_tensor_is_named() -> None:
    state = random_hardnet().state_dict()
    del state["features.3.weight"]
    with pytest.raises(WeightsError, match=r"HardNet.*features\.3\.weight"):
        build(state)
