"""Graphs as ONNX models."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram

from tiepoint.exporting.graphs import Graph, trace
from tiepoint.io.optional import import_optional
from tiepoint.runtimes.manifest import TensorEntry

OPSET = 20
"""Version of the standard operators: the first one with Gelu."""
MIN_HALVED = 256
"""Minimum number of values of a weight that is stored in float16."""


def to_onnx(graph: Graph) -> Any:
    """Translate a graph.

    Args:
        graph: Graph to translate.

    Returns:
        Model of `onnx_ir` whose inputs, outputs and open sizes have the names of the graph.

    Raises:
        MissingDependency: If onnxscript is not installed.
    """
    import_optional("onnxscript", purpose="ONNX export", install="tiepoint[onnx]")
    model = _translate(trace(graph), graph)
    _remove_traces(model)
    _name_sizes(model, graph)
    return model


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Log errors only of a library within the block; its warnings are about its own optimizations."""
    library = logging.getLogger(name)
    level = library.level
    library.setLevel(logging.ERROR)
    try:
        yield
    finally:
        library.setLevel(level)


def _translate(program: ExportedProgram, graph: Graph) -> Any:
    with warnings.catch_warnings(), _quiet("onnxscript"), _quiet("onnx_ir"):
        warnings.simplefilter("ignore")  # of libraries about themselves
        translated = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            opset_version=OPSET,
        )
    assert translated is not None
    return translated.model


def _remove_traces(model: Any) -> None:
    """Remove stack traces, which contain paths of this machine, and the shapes between nodes."""
    outputs = set(model.graph.outputs)
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
            if value not in outputs:
                value.shape = value.type = None


def _name_sizes(model: Any, graph: Graph) -> None:
    """Give the open sizes of inputs and outputs their names; torch has numbered them."""
    import onnx_ir

    names: dict[str, str] = {}
    for value in model.graph.inputs:
        sizes = list(value.shape)
        for axis, name in graph.open_sizes.get(value.name, {}).items():
            names[str(sizes[axis])] = sizes[axis] = name
        value.shape = onnx_ir.Shape(sizes)
    for value in model.graph.outputs:
        sizes = [size if isinstance(size, int) else names.get(str(size), str(size)) for size in value.shape]
        for axis, name in graph.output_sizes.get(value.name, {}).items():
            sizes[axis] = sizes[axis] if isinstance(sizes[axis], int) else name
        value.shape = onnx_ir.Shape(sizes)


def with_weights_of(model: Any, module: nn.Module) -> Any:
    """Replace all weights of a model in place by those of another module of the same structure.

    Args:
        model: Model from `to_onnx`.
        module: Module with the new weights, all of which the graph uses as they are.
    """
    import onnx_ir

    for name, weight in module.state_dict().items():
        model.graph.initializers[name].const_value = onnx_ir.tensor(weight.numpy(), name=name)
    return model


def save_onnx(model: Any, path: Path, properties: Mapping[str, str], *, half: bool = False) -> None:
    """Write a model with properties that tools show, such as the license of its weights.

    Args:
        model: Model from `to_onnx`.
        path: Output file.
        properties: Names and values.
        half: Store weights in float16; the runtime converts them to float32 once, when it loads the model.
    """
    import onnx
    import onnx_ir

    model.graph.name = path.stem
    model.producer_name = "tiepoint"
    model.metadata_props.clear()
    model.metadata_props.update(properties)
    written = onnx_ir.to_proto(model)
    if half:
        _halve_weights(written.graph)
    onnx.save(written, path)


def _halve_weights(graph: Any) -> None:
    """Replace large float32 weights by float16 ones and a conversion."""
    import onnx

    casts = []
    for weight in graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype == np.float32 and values.size >= MIN_HALVED:
            name = weight.name
            weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
            casts.append(onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def tensor_entries(values: Any) -> tuple[TensorEntry, ...]:
    """Describe the inputs or outputs of a model."""
    return tuple(
        TensorEntry(
            name=value.name,
            dtype=str(value.dtype.numpy()),
            shape=tuple(size if isinstance(size, int) else str(size.value) for size in value.shape),
        )
        for value in values
    )
