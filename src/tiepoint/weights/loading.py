"""File -> named tensors; code in a file is never executed."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch

from tiepoint.errors import WeightsError
from tiepoint.io.messages import first_line
from tiepoint.weights.resolution import resolve


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
    content = _read(path)
    if key is not None:
        content = _group(content, key, path)
    return _named_tensors(content, path)


def _read(path: Path) -> object:
    try:
        if path.suffix == ".safetensors":
            with torch.device("cpu"):  # safetensors 0.4 uses the default device of the user
                return safetensors.torch.load_file(path, device="cpu")
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(_unpickling_message(path, error)) from error
    except Exception as error:  # on damaged bytes pickle may raise any type, according to its manual
        raise WeightsError(
            f"cannot read weights from {path}: {first_line(error)}; download or copy it again"
        ) from error


def _unpickling_message(path: Path, error: Exception) -> str:
    """Return the message; torch raises the same class for a pickle that calls code and for bytes that are no pickle."""
    if "GLOBAL " in str(error):
        return (
            f"cannot load {path} without running code that it contains, which tiepoint never does; "
            "if you trust it, load it yourself and save its tensors with safetensors.torch.save_file"
        )
    return f"cannot read weights from {path}: damaged, or neither a torch nor a .safetensors file; download or copy it again"


def _group(content: object, key: str, path: Path) -> object:
    if not isinstance(content, Mapping) or key not in content:
        raise WeightsError(f"expected tensors under {key!r} in {path}, got {_describe(content)}")
    return content[key]


def _named_tensors(content: object, path: Path) -> dict[str, torch.Tensor]:
    if isinstance(content, Mapping) and content:
        tensors = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
        if len(tensors) == len(content) and all(isinstance(name, str) for name in content):
            return tensors
    raise WeightsError(
        f"expected named tensors (a state dict) in {path}, got {_describe(content)}; "
        "if they are nested, pass key= with the name of the group"
    )


def _describe(content: object) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    names = [repr(name) for name in content][:5]
    return f"entries {', '.join(names)}{' …' if len(content) > 5 else ''}" if names else "nothing"
