"""File -> checkpoint: named tensors, wherever training programs put them, and the metadata of safetensors files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from tiepoint.errors import WeightsError
from tiepoint.io.messages import first_line
from tiepoint.weights.loading import describe_content, read_content
from tiepoint.weights.resolution import resolve

GROUPS = ("model", "state_dict", "model_state_dict", "network", "net", "params", "weights", "ema")
"""Entries under which training programs save the tensors of a network, next to those of an optimizer."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """Content of a weights file.

    Attributes:
        path: File.
        tensors: Tensors by name, on the CPU.
        metadata: Metadata of a safetensors file; empty for others.
        group: Entry of the file that contains the tensors; "" if they are not nested.
    """

    path: Path
    tensors: dict[str, torch.Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    group: str = ""


def load_checkpoint(name: str | Path, *, accept_license: bool = False, progress: bool = False) -> Checkpoint:
    """Load the tensors of a network, unchanged, to the CPU; code in the file is never executed.

    Args:
        name: Name in WEIGHTS, or path, as for `resolve`.
        accept_license: Accept a license that forbids commercial use.
        progress: Show the progress of a download on stderr.

    Raises:
        InvalidInput: If the name is unknown, as for `resolve`.
        WeightsError: If the file cannot be found or downloaded, is damaged, needs code to be unpickled, or contains no
            named tensors.
    """
    path = resolve(name, accept_license=accept_license, progress=progress)
    content, groups = read_content(path), list[str]()
    while isinstance(content, Mapping) and (group := _group(content)):
        content = content[group]
        groups.append(group)
    if not isinstance(content, Mapping):
        raise WeightsError(
            f"expected named tensors (a state dict) in {path}, got {describe_content(content)}"
        )
    tensors = {str(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors or len(tensors) < len(content):
        raise WeightsError(
            f"expected named tensors (a state dict) in {path}, got {describe_content(content)}; "
            f"tensors may be in the file itself or under {', '.join(GROUPS)}"
        )
    return Checkpoint(path=path, tensors=tensors, metadata=read_metadata(path), group=".".join(groups))


def _group(content: Mapping[str, object]) -> str | None:
    """Return the entry that contains the tensors of the network, if they are nested."""
    if all(isinstance(value, torch.Tensor) for value in content.values()):
        return None
    return next((name for name in GROUPS if isinstance(content.get(name), Mapping)), None)


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file; empty for other files.

    Args:
        path: File.

    Raises:
        WeightsError: If the file is damaged.
    """
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except SafetensorError as error:
        raise WeightsError(
            f"cannot read weights from {path}: {first_line(error)}; download or copy it again"
        ) from error
