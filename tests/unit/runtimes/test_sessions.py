"""Sessions: a missing runtime, an unknown target and a broken file are one line each."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.runtimes.sessions import open_session, runtime_name


def test_session_returns_outputs_by_name(tiny_bundle: Path) -> None:
    session = open_session(tiny_bundle / "assign_0.onnx", "onnx", threads=1)
    found = session.run({"tokens0": np.zeros((3, 16), np.float32), "tokens1": np.zeros((2, 16), np.float32)})
    assert {name: value.shape for name, value in found.items()} == {
        "matches0": (3,),
        "matches1": (2,),
        "matching_scores0": (3,),
        "matching_scores1": (2,),
    }


def test_unknown_target(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"unknown target 'tpu'; available: onnx"):
        open_session(tmp_path / "x.onnx", "tpu")


def test_broken_graph(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(InvalidInput, match=r"ONNX Runtime cannot load .*x\.onnx"):
        open_session(path, "onnx")


def test_missing_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependency, match=r"pip install 'tiepoint\[onnx\]'"):
        open_session(tmp_path / "x.onnx", "onnx")


def test_opencv_before_version_5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "__version__", "4.12.0")
    with pytest.raises(InvalidInput, match=r"needs OpenCV 5, got 4\.12\.0"):
        open_session(tmp_path / "x.onnx", "opencv")


def test_names_of_runtimes() -> None:
    assert runtime_name("onnx").startswith("onnxruntime ")
    assert runtime_name("opencv").startswith("opencv-")
