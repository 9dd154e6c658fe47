"""Adapters: small files that change the weights of a published matcher, such as those of `tiepoint train --lora`.

A safetensors file with, for each changed parameter NAME of the base, one of

NAME.up (out, rank), NAME.down (rank, in)     the product is added
NAME.delta, of the parameter's shape          is added; of integers with NAME.scale (out, 1), the product is added

and in its metadata the name and the SHA-256 digest of the base's file. Matching with an adapter is matching with the sum.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from tiepoint.errors import WeightsError
from tiepoint.io.atomic import atomic_write
from tiepoint.io.hashing import SHORT_DIGEST_LENGTH, file_digest
from tiepoint.models.checkpoint import list_names
from tiepoint.weights.resolution import resolve
from tiepoint.weights.table import WEIGHTS

ADAPTER = "adapter.safetensors"
"""File name of the adapter in the folder of a training."""

VERSION = "1"
BASE, BASE_SHA256, FORMAT = "tiepoint_base", "tiepoint_base_sha256", "tiepoint_adapter"
PARTS = ("up", "down", "delta", "scale")


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Weights that an adapter changes.

    Attributes:
        name: Name in WEIGHTS, or path of a file.
        sha256: Hexadecimal digest of the file.
    """

    name: str
    sha256: str


def is_adapter(metadata: Mapping[str, str]) -> bool:
    """Return whether a safetensors file is an adapter.

    Args:
        metadata: Metadata of the file.
    """
    return FORMAT in metadata


def save_adapter(path: Path, tensors: Mapping[str, Tensor], base: Base) -> None:
    """Write an adapter.

    Args:
        path: File to write.
        tensors: Tensors by the names above, as `compact` returns them.
        base: Weights that they change.

    Raises:
        InvalidInput: If the file cannot be written.
    """
    metadata = {"format": "pt", FORMAT: VERSION, BASE: base.name, BASE_SHA256: base.sha256}
    with atomic_write(path) as temporary:
        save_file(dict(tensors), temporary, metadata)


def compact(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors on the CPU as they are stored: floating-point ones in float16.

    Args:
        tensors: Tensors by name.
    """
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in stored.items()}


def find_base(path: Path, metadata: Mapping[str, str], *, accept_license: bool, progress: bool) -> Path:
    """Return the file of the weights that an adapter changes; published weights are downloaded.

    Args:
        path: File of the adapter.
        metadata: Its metadata.
        accept_license: Accept a license that forbids commercial use.
        progress: Show the progress of a download on stderr.

    Raises:
        WeightsError: If the format is newer, or the file cannot be found or has another digest.
    """
    if metadata[FORMAT] != VERSION:
        raise WeightsError(
            f"{path} is an adapter of format {metadata[FORMAT]!r}, expected {VERSION}; update tiepoint"
        )
    base = Base(name=metadata.get(BASE, ""), sha256=metadata.get(BASE_SHA256, ""))
    if base.name in WEIGHTS:
        file = resolve(base.name, accept_license=accept_license, progress=progress)
        if file_digest(file) == base.sha256:
            return file
    else:
        for file in (Path(base.name), path.parent / Path(base.name).name):
            if base.name and file.is_file() and file_digest(file) == base.sha256:
                return file
    raise WeightsError(
        f"{path} changes the weights {base.name} with SHA-256 {base.sha256[:SHORT_DIGEST_LENGTH]}…, which are not on this "
        f"machine; put that file beside it"
    )


def merge(base: Mapping[str, Tensor], adapter: Mapping[str, Tensor], what: str) -> dict[str, Tensor]:
    """Return the parameters of the base with the changes of an adapter, in float32.

    Args:
        base: Parameters by name.
        adapter: Tensors by the names above.
        what: File of the adapter, for messages.

    Raises:
        WeightsError: If a tensor does not fit the base, or is not finite.
    """
    changes = _by_parameter(adapter, what)
    if unknown := set(changes) - set(base):
        raise WeightsError(f"{what} does not fit its base: unexpected {list_names(unknown)}")
    merged = {name: tensor.to(torch.float32) for name, tensor in base.items()}
    for name, parts in changes.items():
        change = _change(parts)
        if change is None or change.shape != merged[name].shape or not bool(change.isfinite().all()):
            shapes = ", ".join(f"{part} {tuple(tensor.shape)}" for part, tensor in parts.items())
            raise WeightsError(
                f"{what} does not fit its base: {name} {tuple(merged[name].shape)} cannot be changed by {shapes}; "
                "expected finite up (out, rank) and down (rank, in), or delta, with scale (out, 1) if it is of integers"
            )
        merged[name] = merged[name] + change
    return merged


def _by_parameter(adapter: Mapping[str, Tensor], what: str) -> dict[str, dict[str, Tensor]]:
    changes = dict[str, dict[str, Tensor]]()
    for name, tensor in adapter.items():
        parameter, _, part = name.rpartition(".")
        if part not in PARTS:
            raise WeightsError(f"{what} is no adapter: unexpected tensor {name}")
        changes.setdefault(parameter, {})[part] = tensor
    return changes


def _change(parts: Mapping[str, Tensor]) -> Tensor | None:
    """Return the sum to add; None if the parts are not those of a change."""
    values = {part: tensor.to(torch.float32) for part, tensor in parts.items()}
    match sorted(parts):
        case ["down", "up"]:
            up, down = values["up"], values["down"]
            fits = up.ndim == down.ndim == 2 and up.shape[1] == down.shape[0]
            return up @ down if fits else None
        case ["delta"] if parts["delta"].is_floating_point():
            return values["delta"]
        case ["delta", "scale"]:
            delta, scale = values["delta"], values["scale"]
            fits = delta.ndim == 2 and scale.shape == (len(delta), 1)
            return delta * scale if fits else None
        case _:
            return None
