"""Networks are recognized by parts of their tensor names; small forms of ours have the names of the published ones."""

import pytest
import torch
from tests.helpers.tiny_detectors import tiny_raco
from torch import nn

from tiepoint.models.aliked.network import ALIKED, ALIKED_VARIANTS
from tiepoint.models.checkpoint import load_strictly
from tiepoint.models.dedode.dad import DaD
from tiepoint.models.dedode.descriptor import DeDoDe, DeDoDeConfig
from tiepoint.models.dedode.dinov2 import DINOv2Sizes
from tiepoint.models.known_networks import KNOWN_NETWORKS, KnownNetwork, known_network
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape


@pytest.mark.parametrize("row", KNOWN_NETWORKS, ids=lambda row: row.name)
def test_all_parts_must_occur(row: KnownNetwork):
    names = {f"{part}weight" for part in row.parts}
    assert known_network(names) == row.name
    assert known_network(names - {f"{row.parts[0]}weight"}) != row.name


def test_unknown_tensors_are_of_no_network():
    assert known_network({"fc.weight"}) is None


def test_published_names():
    with torch.device("meta"):
        networks: dict[str, nn.Module] = {
            "ALIKED, a detector": ALIKED(ALIKED_VARIANTS["t16"]),
            "RaCo, a detector": tiny_raco(),
            "DaD, a detector": DaD(),
            "DeDoDe-B, a descriptor": DeDoDe(DeDoDeConfig()),
            "DeDoDe-G, a descriptor": DeDoDe(DeDoDeConfig(dinov2=DINOv2Sizes(layers=1))),
            "LightGlue, a matcher": LightGlue(LightGlueShape()),
        }
    assert {name: known_network(network.state_dict()) for name, network in networks.items()} == {
        name: name for name in networks
    }
    loma = {f"_detector.{name}" for name in networks["DaD, a detector"].state_dict()}
    loma |= {f"_descriptor.{name}" for name in networks["DeDoDe-B, a descriptor"].state_dict()}
    assert known_network(loma) == "LoMa, a matcher with detector and descriptor"


def test_an_error_names_the_network_unless_it_is_the_one_that_is_loaded():
    network = nn.Linear(2, 2)
    for what, end in (
        ("DISK", "these are weights of SuperPoint"),
        ("superpoint", "is this the file of another"),
    ):
        with pytest.raises(Exception, match=end):
            load_strictly(network, {"conv1a.weight": torch.zeros(1), "convPa.weight": torch.zeros(1)}, what)
