"""ONNX models without the operators that OpenCV's DNN module lacks or computes inaccurately."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tiepoint.io.optional import import_optional


def rewrite_for_opencv(path: Path) -> None:
    """Replace, in place, what OpenCV 5.0 cannot run.

    - Clip of integers, by Max and Min.
    - Equal of booleans, by Equal of integers.
    - ReduceLogSumExp, which overflows from 88 on: the maximum is subtracted before, and added after.

    Args:
        path: ONNX file.
    """
    onnx: Any = import_optional("onnx", purpose="OpenCV export", install="tiepoint[onnx]")
    model = onnx.load(path)
    types = _element_types(onnx, model)
    nodes = [new for node in model.graph.node for new in _rewritten(onnx, node, types)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)


def _element_types(onnx: Any, model: Any) -> dict[str, int]:
    """Return the element type of every tensor."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.value_info, *graph.input, *graph.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {weight.name: weight.data_type for weight in graph.initializer}


def _rewritten(onnx: Any, node: Any, types: Mapping[str, int]) -> Iterator[Any]:
    make, tensor = onnx.helper.make_node, onnx.TensorProto
    element_type = next((types[name] for name in node.input if name in types), tensor.UNDEFINED)
    if node.op_type == "Equal" and element_type == tensor.BOOL:
        yield from _compare_booleans(make, node, tensor.INT32)
    elif node.op_type == "Clip" and element_type in (tensor.INT32, tensor.INT64):
        yield from _clip_integers(make, node)
    elif node.op_type == "ReduceLogSumExp":
        yield from _shift_by_maximum(make, node)
    else:
        yield node


def _compare_booleans(make: Any, node: Any, integer: int) -> Iterator[Any]:
    numbers = [f"{node.name}_input{index}" for index in range(2)]
    for name, number in zip(node.input, numbers, strict=True):
        yield make("Cast", [name], [number], name=number, to=integer)
    yield make("Equal", numbers, list(node.output), name=node.name)


def _clip_integers(make: Any, node: Any) -> Iterator[Any]:
    """Yield a maximum and a minimum; either bound may be absent."""
    values, *bounds = node.input
    steps = [(kind, bound) for kind, bound in zip(("Max", "Min"), bounds, strict=False) if bound]
    for number, (kind, bound) in enumerate(steps, start=1):
        output = node.output[0] if number == len(steps) else f"{node.name}_{kind}"
        yield make(kind, [values, bound], [output], name=f"{node.name}_{kind}_node")
        values = output


def _shift_by_maximum(make: Any, node: Any) -> Iterator[Any]:
    """Yield log sum exp(x - max) + max; the reduced dimensions are kept, as in all graphs of LightGlue."""
    values, axes = node.input
    largest, shifted, result = (f"{node.name}_{name}" for name in ("max", "shifted", "result"))
    yield make("ReduceMax", [values, axes], [largest], name=largest, keepdims=1)
    yield make("Sub", [values, largest], [shifted], name=shifted)
    yield make("ReduceLogSumExp", [shifted, axes], [result], name=result, keepdims=1)
    yield make("Add", [result, largest], list(node.output), name=node.name)
