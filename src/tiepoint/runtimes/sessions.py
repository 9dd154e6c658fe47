"""Sessions: one loaded graph of a runtime, NumPy arrays in and out.

Each runtime is one class here and one row of `SESSIONS`; it is imported when a session is opened.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import first_line, unknown_name
from tiepoint.io.optional import import_optional
from tiepoint.io.versions import installed_versions

Arrays: TypeAlias = dict[str, np.ndarray]

WARM_UP_SIZE = 64
"""Open sizes of the first run in OpenVINO."""
MIN_OPENCV = 5
"""Minimum major version of OpenCV: the first one whose DNN module runs graphs with open sizes."""


@runtime_checkable
class Session(Protocol):
    """One loaded graph."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Compute all outputs by name."""
        ...


class OnnxRuntimeSession:
    """A graph in ONNX Runtime, on the CPU.

    Args:
        path: ONNX file.
        threads: Number of threads; None leaves it to the runtime.

    Raises:
        MissingDependency: If ONNX Runtime is not installed.
        InvalidInput: If it cannot load the graph.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        library = import_optional("onnxruntime", purpose="running an ONNX bundle", install="tiepoint[onnx]")
        options = library.SessionOptions()
        options.log_severity_level = 3  # errors
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session: Any = library.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no common class
            raise _cannot_load(path, "ONNX Runtime", error) from error
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Compute all outputs by name."""
        return dict(zip(self._outputs, self._session.run(None, dict(inputs)), strict=True))


class OpenVinoSession:
    """A graph in OpenVINO, on the CPU, in float32 also where the CPU has faster types.

    Args:
        path: Model file (.xml).
        threads: Number of threads; None leaves it to the runtime.

    Raises:
        MissingDependency: If OpenVINO is not installed.
        InvalidInput: If it cannot load the graph.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        library = import_optional(
            "openvino", purpose="running an OpenVINO bundle", install="tiepoint[openvino]"
        )
        options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        try:
            self._model: Any = library.Core().compile_model(path, "CPU", options)
        except Exception as error:  # its errors have no common class
            raise _cannot_load(path, "OpenVINO", error) from error
        self._request: Any = self._model.create_infer_request()
        self._outputs = [output.any_name for output in self._model.outputs]
        self._warm_up()

    def _warm_up(self) -> None:
        """Run once: if the open sizes of the first run are 1, OpenVINO 2026.4 computes wrong results for others later."""
        self.run({port.any_name: _ones(port) for port in self._model.inputs})

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Compute all outputs by name."""
        found = self._request.infer(dict(inputs))
        return {
            name: np.array(found[output])
            for name, output in zip(self._outputs, self._model.outputs, strict=True)
        }


class OpenCvSession:
    """A graph in OpenCV's DNN module, on the CPU.

    Args:
        path: ONNX file.
        threads: Not used: OpenCV has one number of threads per process, `cv2.setNumThreads`.

    Raises:
        MissingDependency: If OpenCV is not installed.
        InvalidInput: If it is older than version 5, or cannot load the graph.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        library: Any = import_optional("cv2", purpose="running an OpenCV bundle", install="tiepoint[opencv]")
        if int(library.__version__.partition(".")[0]) < MIN_OPENCV:
            raise InvalidInput(
                f"running an OpenCV bundle needs OpenCV {MIN_OPENCV}, got {library.__version__}; "
                'python -m pip install --upgrade "opencv-python-headless>=5"'
            )
        try:
            self._network: Any = library.dnn.readNetFromONNX(str(path), library.dnn.ENGINE_NEW)
        except library.error as error:
            raise _cannot_load(path, "OpenCV", error) from error
        self._outputs: list[str] = list(self._network.getUnconnectedOutLayersNames())
        self._library = library

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Compute all outputs by name."""
        for (
            name,
            values,
        ) in inputs.items():  # a plain array of three dimensions would be an image with channels
            self._network.setInput(self._library.Mat(np.ascontiguousarray(values)), name)
        return dict(zip(self._outputs, self._network.forward(self._outputs), strict=True))


def _ones(port: Any) -> np.ndarray:
    shape = [size.get_length() if size.is_static else WARM_UP_SIZE for size in port.partial_shape]
    return np.ones(shape, port.element_type.to_dtype())


SESSIONS: dict[str, Callable[..., Session]] = {
    "onnx": OnnxRuntimeSession,
    "openvino": OpenVinoSession,
    "opencv": OpenCvSession,
}
"""Target of a bundle -> session that runs its graphs."""


RUNTIME_PACKAGES: dict[str, Sequence[str]] = {
    "onnx": ("onnxruntime",),
    "openvino": ("openvino",),
    "opencv": (
        "opencv-python-headless",
        "opencv-python",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ),
}
"""Target of a bundle -> packages that contain its runtime."""


def runtime_name(target: str) -> str:
    """Return the name and version of the package that runs a target."""
    installed = installed_versions(RUNTIME_PACKAGES[target])
    return " ".join(next(iter(installed.items()), (target,)))


def open_session(path: Path, target: str, *, threads: int | None = None) -> Session:
    """Load a graph in the runtime of a target.

    Args:
        path: File of the graph.
        target: Key of `SESSIONS`.
        threads: Number of CPU threads; None leaves it to the runtime.

    Raises:
        InvalidInput: If the target is unknown, or the runtime cannot load the graph.
        MissingDependency: If the runtime is not installed.
    """
    if target not in SESSIONS:
        raise InvalidInput(unknown_name("target", target, SESSIONS))
    return SESSIONS[target](path, threads)


def _cannot_load(path: Path, runtime: str, error: Exception) -> InvalidInput:
    return InvalidInput(
        f"{runtime} cannot load {path}: {first_line(error)}; update it, or export the bundle again"
    )
