"""Graphs of a bundle: a module, its example inputs, and which of their sizes stay open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

MAX_SIZE = 1 << 24
"""Maximum of an open size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One graph of a bundle.

    Attributes:
        name: Name of the graph, and of its file without suffix.
        module: Module that computes it.
        inputs: Example inputs by name, in the order of the arguments of `forward`; open sizes are greater than 1 and
            differ, or tracing would take them for special cases.
        outputs: Names of the outputs, in the order of the results of `forward`.
        open_sizes: Input name -> dimension -> name of the size, which stays open; sizes of the same name are equal.
        output_sizes: Output name -> dimension -> name of a size that depends on the values of the inputs.
        multiples: Name of a size -> number that it is a multiple of.
    """

    name: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: Sequence[str]
    open_sizes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    output_sizes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    multiples: Mapping[str, int] = field(default_factory=dict)


def example(*shape: int) -> Tensor:
    """Return an example input: random values in [0, 1), float32."""
    return torch.rand(shape, dtype=torch.float32, device="cpu")


@torch.no_grad()
def trace(graph: Graph) -> ExportedProgram:
    """Trace a graph with `torch.export`."""
    names = [name for axes in graph.open_sizes.values() for name in axes.values()]
    sizes = {name: _open_size(name, graph, is_shared=names.count(name) > 1) for name in names}
    shapes = [
        {axis: sizes[size] for axis, size in graph.open_sizes.get(name, {}).items()} for name in graph.inputs
    ]
    return torch.export.export(
        graph.module.eval(),
        tuple(graph.inputs.values()),
        dynamic_shapes=tuple(shapes),
        strict=False,
        prefer_deferred_runtime_asserts_over_guards=True,  # images of some sizes need no padding: not a special case
    )


def _open_size(name: str, graph: Graph, *, is_shared: bool) -> Any:
    """Return a named size where several are equal or multiples of a number, otherwise one without constraints."""
    multiple = graph.multiples.get(name, 1)
    if multiple > 1:
        return multiple * Dim(name, min=1, max=MAX_SIZE // multiple)
    return Dim(name, min=1, max=MAX_SIZE) if is_shared else Dim.DYNAMIC(min=1, max=MAX_SIZE)
