"""ONNX models: names, sizes, weights."""

from pathlib import Path

import numpy as np
import onnx_ir
import pytest
import torch
from tests.helpers.shape_checks import without_shape_checks
from torch import Tensor, nn

from tiepoint.exporting import onnx_models
from tiepoint.exporting.graphs import Graph
from tiepoint.exporting.onnx_models import save_onnx, tensor_entries, to_onnx, with_weights_of
from tiepoint.exporting.openvino_models import onnx_to_openvino
from tiepoint.runtimes.manifest import TensorEntry
from tiepoint.runtimes.sessions import open_session


class Scale(nn.Module):
    """Rows times a weight, and the rows whose first value is positive."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.register_buffer("weight", torch.full((3,), weight))

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        scaled = rows * self.weight
        return scaled, scaled[scaled[:, 0] > 0]


@pytest.fixture(scope="module")
def model() -> onnx_ir.Model:
    graph = Graph(
        name="scale",
        module=Scale(2.0),
        inputs={"rows": torch.rand(5, 3)},
        outputs=("scaled", "positive"),
        open_sizes={"rows": {0: "num_rows"}},
        output_sizes={"positive": {0: "num_positive"}},
    )
    with without_shape_checks():
        return to_onnx(graph)


def test_sizes_have_names(model: onnx_ir.Model) -> None:
    assert tensor_entries(model.graph.inputs) == (
        TensorEntry(name="rows", dtype="float32", shape=("num_rows", 3)),
    )
    assert [entry.shape for entry in tensor_entries(model.graph.outputs)] == [
        ("num_rows", 3),
        ("num_positive", 3),
    ]


def test_weights_are_replaced(model: onnx_ir.Model, tmp_path: Path) -> None:
    save_onnx(with_weights_of(model, Scale(-1.0)), tmp_path / "scale.onnx", {"license": "none"})
    session = open_session(tmp_path / "scale.onnx", "onnx")
    rows = np.array([[1, 2, 3], [-1, 0, 4]], np.float32)
    found = session.run({"rows": rows})
    np.testing.assert_array_equal(found["scaled"], -rows)
    np.testing.assert_array_equal(found["positive"], -rows[1:])


def test_weights_in_half_precision(
    model: onnx_ir.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_models, "MIN_HALVED", 2)
    save_onnx(with_weights_of(model, Scale(0.1)), tmp_path / "scale.onnx", {}, half=True)
    found = open_session(tmp_path / "scale.onnx", "onnx").run({"rows": np.ones((1, 3), np.float32)})
    np.testing.assert_array_equal(found["scaled"], np.full((1, 3), np.float16(0.1), np.float32))


def test_openvino_computes_the_same(model: onnx_ir.Model, tmp_path: Path) -> None:
    save_onnx(with_weights_of(model, Scale(3.0)), tmp_path / "scale.onnx", {})
    path = onnx_to_openvino(tmp_path / "scale.onnx", half=False)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["scale.bin", "scale.xml"]
    rows = np.array([[1, 2, 3], [-1, 0, 4]], np.float32)
    found = open_session(path, "openvino", threads=1).run({"rows": rows})
    np.testing.assert_array_equal(found["scaled"], 3 * rows)
    np.testing.assert_array_equal(found["positive"], 3 * rows[:1])
