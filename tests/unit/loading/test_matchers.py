"""Weights of one's own for the matcher of a preset that does not fit them."""

from pathlib import Path

import pytest
import torch
from tests.helpers.errors import one_line

from tiepoint.api import load
from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape

pytestmark = pytest.mark.weights


def test_a_matchers_weights_for_a_preset_without_a_network_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"aliked\+nearest.*matcher_weights|matcher_weights.*aliked\+nearest"
    ):
        load("aliked+nearest", matcher_weights=tmp_path / "mine.pth")


def test_a_matcher_for_other_descriptors_is_an_error_at_once(tmp_path: Path) -> None:
    network = LightGlue(LightGlueShape(input_dim=256, dim=32, layers=2, heads=4))
    torch.save(network.state_dict(), tmp_path / "superpoint_lightglue.pth")
    with pytest.raises((WeightsError, InvalidInput), match="256") as error:
        load("aliked+lightglue", matcher_weights=tmp_path / "superpoint_lightglue.pth")
    one_line(error)
