"""The graphs of a matcher: names, example inputs and open sizes."""

from collections.abc import Mapping

import torch
from torch import Tensor

from tiepoint.exporting.block_graphs import Attend
from tiepoint.exporting.graphs import Graph, example
from tiepoint.exporting.lightglue_graphs import (
    AssignGraph,
    EncodeGraph,
    LayerGraph,
    LayerOutputs,
    SingleGraph,
    SingleOutputs,
)
from tiepoint.exporting.nearest_graph import NearestGraph
from tiepoint.matching.mutual_nearest import NearestSettings
from tiepoint.models.lightglue.assignment import AssignmentTensors
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape

EXAMPLE_COUNTS = (24, 40)
"""Numbers of keypoints that graphs are traced with; they differ, or tracing would take them to be always equal."""

SIZES = ("num_keypoints0", "num_keypoints1")
LIST_SIZES = {name: {0: "num_matches"} for name in ("matches", "scores")}
TOKENS = ("num_tokens0", "num_tokens1")


def encode_graph(network: LightGlue) -> Graph:
    """Describe the graph that runs once per image."""
    inputs = _features(network.shape, EXAMPLE_COUNTS[0])
    return Graph(
        name="encode",
        module=EncodeGraph(network),
        inputs=inputs,
        outputs=("tokens", "rotation"),
        open_sizes={name: {0: "num_keypoints"} for name in inputs if name != "image_size"},
    )


def layer_graph(network: LightGlue, layer: int, attend: Attend) -> Graph:
    """Describe the graph of a layer of a fused network; those of all layers but the last have the same structure."""
    inputs = _tokens(network.shape, ("tokens", "rotation"))
    is_last = layer + 1 == network.shape.layers
    return Graph(
        name=f"layer_{layer}",
        module=LayerGraph(network, layer, attend),
        inputs=inputs,
        outputs=LayerOutputs._fields[:2] if is_last else LayerOutputs._fields,
        open_sizes=_open_tokens(inputs),
    )


def assign_graph(network: LightGlue, layer: int, filter_threshold: float) -> Graph:
    """Describe the graph that matches after a layer; those of all layers have the same structure."""
    inputs = _tokens(network.shape, ("tokens",))
    return Graph(
        name=f"assign_{layer}",
        module=AssignGraph(network.head(layer), filter_threshold),
        inputs=inputs,
        outputs=AssignmentTensors._fields,
        open_sizes=_open_tokens(inputs),
    )


def single_graph(network: LightGlue, attend: Attend, filter_threshold: float) -> Graph:
    """Describe the graph of all layers of a fused network."""
    features = [_features(network.shape, count) for count in EXAMPLE_COUNTS]
    inputs = {f"{name}{image}": value for image in (0, 1) for name, value in features[image].items()}
    return Graph(
        name="matcher",
        module=SingleGraph(network, attend, filter_threshold),
        inputs=inputs,
        outputs=SingleOutputs._fields,
        open_sizes={name: {0: SIZES[int(name[-1])]} for name in inputs if not name.startswith("image_size")},
        output_sizes=LIST_SIZES,
    )


def nearest_graph(settings: NearestSettings, descriptor_dim: int) -> Graph:
    """Describe the graph of mutual nearest neighbors."""
    inputs = {
        f"descriptors{image}": example(count, descriptor_dim) for image, count in enumerate(EXAMPLE_COUNTS)
    }
    return Graph(
        name="matcher",
        module=NearestGraph(settings.filter_threshold, settings.max_ratio),
        inputs=inputs,
        outputs=SingleOutputs._fields,
        open_sizes={name: {0: SIZES[int(name[-1])]} for name in inputs},
        output_sizes=LIST_SIZES,
    )


def _features(shape: LightGlueShape, count: int) -> dict[str, Tensor]:
    """Return the inputs of an image, named as in the bundle."""
    inputs = {
        "keypoints": 640 * example(count, 2),
        "image_size": torch.tensor([640.0, 480.0], dtype=torch.float32, device="cpu"),
        "descriptors": example(count, shape.input_dim),
    }
    if shape.position_dim == 4:
        inputs |= {"scales": example(count), "orientations": example(count)}
    return inputs


def _tokens(shape: LightGlueShape, names: tuple[str, ...]) -> dict[str, Tensor]:
    widths = {"tokens": shape.dim, "rotation": shape.head_dim}
    return {
        f"{name}{image}": example(count, widths[name])
        for name in names
        for image, count in enumerate(EXAMPLE_COUNTS)
    }


def _open_tokens(inputs: Mapping[str, Tensor]) -> dict[str, dict[int, str]]:
    return {name: {0: TOKENS[int(name[-1])]} for name in inputs}
