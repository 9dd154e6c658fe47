"""From a file to named tensors; no code that a file may hold is ever run."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch

from tiepoint.errors import WeightsError
from tiepoint.weights.resolution import resolve


def load_state_dict(
    name: str | Path, *, key: str | None = None, accept_license: bool = False, progress: bool = False
) -> dict[str, torch.Tensor]:
    """Read named tensors from a .safetensors file or a torch pickle, as they are, onto the CPU.

    Args:
        name: as for `resolve`.
        key: for a file that nests its tensors, the group to take, such as "extractor" for DISK's.
        accept_license: as for `resolve`.
        progress: as for `resolve`.

    Raises:
        InvalidInput, WeightsError: as for `resolve`.
        WeightsError: the file is damaged, needs code to be unpickled, or doesn't hold named tensors.
    """
    path = resolve(name, accept_license=accept_license, progress=progress)
    content = _read(path)
    if key is not None:
        content = _group(content, key, path)
    return _named_tensors(content, path)


def _read(path: Path) -> object:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path, device="cpu")
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(_unpickling_message(path, error)) from error
    except Exception as error:  # on damaged bytes pickle may raise anything, its manual says
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"can't read weights from {path}: {reason}; download or copy it again") from error


def _unpickling_message(path: Path, error: Exception) -> str:
    """Torch raises the same class for a pickle that calls other code and for bytes that are no pickle."""
    if "GLOBAL " in str(error):
        return (
            f"{path} can't be loaded without running code that it brings, which tiepoint never does; "
            "where you trust it, load it yourself and save its tensors with safetensors.torch.save_file"
        )
    return f"{path} is damaged, or neither a torch file nor .safetensors; download or copy it again"


def _group(content: object, key: str, path: Path) -> object:
    if not isinstance(content, Mapping) or key not in content:
        raise WeightsError(f"{path} should hold its tensors under {key!r}, but holds {_describe(content)}")
    return content[key]


def _named_tensors(content: object, path: Path) -> dict[str, torch.Tensor]:
    if isinstance(content, Mapping) and content:
        tensors = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
        if len(tensors) == len(content) and all(isinstance(name, str) for name in content):
            return tensors
    raise WeightsError(
        f"{path} should hold named tensors (a state dict), but holds {_describe(content)}; "
        "where they're nested, pass key= with the name of the group"
    )


def _describe(content: object) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    names = [repr(name) for name in content][:5]
    return f"entries {', '.join(names)}{' …' if len(content) > 5 else ''}" if names else "nothing"
