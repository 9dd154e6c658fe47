"""Names, sizes and structure of a matcher's graphs."""

import torch
from tests.helpers.tiny_bundles import tiny_network

from tiepoint.exporting.block_graphs import plain_attention
from tiepoint.exporting.matcher_graphs import (
    assign_graph,
    encode_graph,
    layer_graph,
    nearest_graph,
    single_graph,
)
from tiepoint.matching.mutual_nearest import NearestSettings
from tiepoint.models.lightglue.fused_layers import fuse
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape


def test_layers_have_one_structure_but_for_the_last() -> None:
    network = fuse(tiny_network())
    first, second, last = (layer_graph(network, layer, plain_attention) for layer in range(3))
    assert list(first.module.state_dict()) == list(second.module.state_dict())
    assert len(first.outputs) == 6
    assert last.outputs == ("next_tokens0", "next_tokens1")


def test_every_graph_runs_on_its_example() -> None:
    network = fuse(tiny_network())
    graphs = [
        encode_graph(network),
        layer_graph(network, 0, plain_attention),
        assign_graph(network, 2, 0.1),
        single_graph(network, plain_attention, 0.1),
        nearest_graph(NearestSettings(max_ratio=0.9), 8),
    ]
    for graph in graphs:
        assert len(graph.module(*graph.inputs.values())) == len(graph.outputs), graph.name


def test_scales_and_orientations_are_inputs() -> None:
    network = LightGlue(LightGlueShape(input_dim=8, dim=16, layers=1, heads=2, position_dim=4))
    graph = encode_graph(network)
    assert list(graph.inputs) == ["keypoints", "image_size", "descriptors", "scales", "orientations"]
    assert all(isinstance(value, torch.Tensor) for value in graph.inputs.values())
