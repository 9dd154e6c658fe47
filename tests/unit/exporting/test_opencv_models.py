"""Rewriting for OpenCV changes the operators, and none of the results."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tiepoint.exporting.opencv_models import rewrite_for_opencv
from tiepoint.runtimes.sessions import OnnxRuntimeSession, OpenCvSession

LOW, HIGH, AXIS = np.array(2, np.int64), np.array(5, np.int64), np.array([1], np.int64)


def write_model(path: Path) -> Path:
    """Write a model with everything that is rewritten."""
    values = helper.make_tensor_value_info("values", TensorProto.FLOAT, ["m", 3])
    outputs = [
        helper.make_tensor_value_info("total", TensorProto.FLOAT, ["m", 1]),
        helper.make_tensor_value_info("clipped", TensorProto.INT64, ["m", 3]),
        helper.make_tensor_value_info("same", TensorProto.INT64, ["m", 3]),
    ]
    nodes = [
        helper.make_node("ReduceLogSumExp", ["values", "axis"], ["total"], name="sum", keepdims=1),
        helper.make_node("Cast", ["values"], ["integers"], name="cast", to=TensorProto.INT64),
        helper.make_node("Clip", ["integers", "low", "high"], ["both"], name="clip"),
        helper.make_node("Clip", ["both", "", "high"], ["clipped"], name="clip_above"),
        helper.make_node("Greater", ["integers", "low"], ["greater"], name="greater"),
        helper.make_node("Less", ["integers", "high"], ["less"], name="less"),
        helper.make_node("Equal", ["greater", "less"], ["equal"], name="equal"),
        helper.make_node("Cast", ["equal"], ["same"], name="number", to=TensorProto.INT64),
    ]
    weights = [
        numpy_helper.from_array(value, name) for name, value in (("low", LOW), ("high", HIGH), ("axis", AXIS))
    ]
    graph = helper.make_graph(nodes, "example", [values], outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def test_results_stay_the_same(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.onnx")
    inputs = {"values": np.float32([[1, 200, 3], [4, 5, 6]])}
    expected = OnnxRuntimeSession(path).run(inputs)
    rewrite_for_opencv(path)
    onnx.checker.check_model(onnx.load(path))
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert {"Max", "Min"} <= kinds
    assert "Clip" not in kinds
    for session in (OnnxRuntimeSession(path), OpenCvSession(path)):
        found = session.run(inputs)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-6)
