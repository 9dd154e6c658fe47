"""Graphs as OpenVINO models, converted from ONNX."""

from pathlib import Path
from typing import Any

from tiepoint.io.optional import import_optional


def onnx_to_openvino(path: Path, *, half: bool) -> Path:
    """Convert an ONNX file to OpenVINO's two files beside it, and remove it.

    Args:
        path: ONNX file.
        half: Store weights in float16.

    Returns:
        Path of the .xml file; the weights are in the .bin file of the same name.

    Raises:
        MissingDependency: If OpenVINO is not installed.
    """
    openvino: Any = import_optional("openvino", purpose="OpenVINO export", install="tiepoint[openvino]")
    model = openvino.convert_model(path)
    target = path.with_suffix(".xml")
    openvino.save_model(model, target, compress_to_fp16=half)
    path.unlink()
    return target
