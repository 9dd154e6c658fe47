"""File -> named tensors; code in a file is never executed."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from tiepoint.errors import WeightsError
from tiepoint.io.messages import first_line
from tiepoint.weights.resolution import resolve


class _Ignored:
    """Takes the place of a value that is no tensor, without computing it."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


OBJECTS = "Unsupported operand 149"
"""Part of torch's message for a frame of a pickle of protocol 4 or 5, which `pickle.dump` writes and torch never does."""


def _stand_in(module: str, name: str) -> type:
    return type(name, (_Ignored,), {"__module__": module, "__qualname__": name})


NUMPY_VALUES: list[Any] = [
    _stand_in(module, name)
    for module, name in (
        ("numpy", "dtype"),
        *((f"{package}.multiarray", "scalar") for package in ("numpy.core", "numpy._core")),
        *(("numpy.dtypes", f"{name}DType") for name in ("Float64", "Float32", "Int64")),
    )
]
"""Names of NumPy's numbers, which glue-factory saves as results; a stand-in is made in their place, NumPy is not called."""


def load_state_dict(
    name: str | Path, *, key: str | None = None, accept_license: bool = False, progress: bool = False
) -> dict[str, torch.Tensor]:
    """Load named tensors from a .safetensors file or a torch pickle, unchanged, to the CPU.

    Args:
        name: Name in WEIGHTS, or path, as for `resolve`.
        key: Group of the tensors in a file that nests them, such as "extractor" for DISK; None if it does not.
        accept_license: Accept a license that forbids commercial use.
        progress: Show the progress of a download on stderr.

    Raises:
        InvalidInput: If the name is unknown, as for `resolve`.
        WeightsError: If the file cannot be found or downloaded, is damaged, needs code to be unpickled, or does not
            contain named tensors.
    """
    path = resolve(name, accept_license=accept_license, progress=progress)
    content = read_content(path)
    if key is not None:
        content = _group(content, key, path)
    return _named_tensors(content, path)


def read_content(path: Path) -> object:
    """Read a file: named tensors, or what a training program saved around them.

    Args:
        path: File.

    Raises:
        WeightsError: If the file is damaged, is no weights file, or needs code to be unpickled.
    """
    _check_start(path)
    try:
        if path.suffix == ".safetensors":
            with torch.device("cpu"):  # safetensors 0.4 uses the default device of the user
                return safetensors.torch.load_file(path, device="cpu")
        with torch.serialization.safe_globals(NUMPY_VALUES), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # an error says more
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(_unpickling_message(path, error)) from error
    except Exception as error:  # on damaged bytes pickle may raise any type, according to its manual
        reason = "truncated or damaged" if "PytorchStreamReader" in str(error) else first_line(error)
        raise WeightsError(f"cannot read weights from {path}: {reason}; download or copy it again") from error


def _check_start(path: Path) -> None:
    """Recognize what servers send instead of a file: a web page, or the pointer of a large file."""
    try:
        with path.open("rb") as file:
            start = file.read(200).lstrip().lower()
    except OSError:
        return  # reading reports it
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise WeightsError(
            f"cannot read weights from {path}: it is a web page, probably of a login or an error; open its address in a "
            "browser, then download or copy it again"
        )
    if start.startswith(b"version https://git-lfs"):
        raise WeightsError(
            f"cannot read weights from {path}: it is the pointer of a Git LFS file; run git lfs pull, or download or "
            "copy it again"
        )


def _unpickling_message(path: Path, error: Exception) -> str:
    """Return the message; torch raises the same class for a pickle that calls code and for bytes that are no pickle."""
    if "GLOBAL " in str(error) or OBJECTS in str(error):
        return (
            f"cannot load {path} without running code that it contains, which tiepoint never does; "
            "if you trust it, load it yourself and save its tensors with safetensors.torch.save_file"
        )
    return f"cannot read weights from {path}: damaged, or neither a torch nor a .safetensors file; download or copy it again"


def _group(content: object, key: str, path: Path) -> object:
    if not isinstance(content, Mapping) or key not in content:
        raise WeightsError(f"expected tensors under {key!r} in {path}, got {describe_content(content)}")
    return content[key]


def _named_tensors(content: object, path: Path) -> dict[str, torch.Tensor]:
    if isinstance(content, Mapping) and content:
        tensors = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
        if len(tensors) == len(content) and all(isinstance(name, str) for name in content):
            return tensors
    raise WeightsError(
        f"expected named tensors (a state dict) in {path}, got {describe_content(content)}; "
        "if they are nested, pass key= with the name of the group"
    )


def describe_content(content: object) -> str:
    """Describe the content of a file for error messages."""
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    names = [repr(name) for name in content][:5]
    return f"entries {', '.join(names)}{' …' if len(content) > 5 else ''}" if names else "nothing"
