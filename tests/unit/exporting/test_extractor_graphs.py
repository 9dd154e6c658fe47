"""The extractor's module detects what the network detects."""

import torch
from tests.helpers.tiny_bundles import tiny_detector

from tiepoint.exporting.extractor_graphs import ExtractorGraph, extractor_graph
from tiepoint.models.aliked.deformable_conv import DeformableConv2d
from tiepoint.models.aliked.network import ALIKED, ALIKEDConfig


@torch.no_grad()
def test_module_equals_the_network() -> None:
    network, image = tiny_detector(), torch.rand(1, 3, 40, 60)
    (expected,) = network(image, max_keypoints=20)
    assert len(expected.keypoints) == 20
    for graph in (
        ExtractorGraph(network, 0.0, 20),
        lambda image: ExtractorGraph(network, 0.0)(image, torch.tensor(20)),
    ):
        found = graph(image)
        assert torch.equal(found.keypoints, expected.keypoints)
        torch.testing.assert_close(found.descriptors, expected.descriptors)


def test_network_is_not_changed() -> None:
    network = ALIKED(ALIKEDConfig(widths=(4, 4, 8, 8), dim=8, positions=2))
    graph = extractor_graph(network)
    assert isinstance(network.block3.conv1, DeformableConv2d)
    assert not any(isinstance(module, DeformableConv2d) for module in graph.module.modules())
    assert any(
        isinstance(module, DeformableConv2d)
        for module in extractor_graph(network, deform_operator=False).module.modules()
    )


def test_open_and_fixed_sizes() -> None:
    assert extractor_graph(tiny_detector()).open_sizes == {"image": {2: "height", 3: "width"}}
    graph = extractor_graph(tiny_detector(), image_size=(60, 40), max_keypoints=5)
    assert graph.open_sizes == {}
    assert {name: tuple(value.shape) for name, value in graph.inputs.items()} == {"image": (1, 3, 40, 60)}
