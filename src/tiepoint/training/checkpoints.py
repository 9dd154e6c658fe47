"""Checkpoints: the whole state of a training in one file that is never half written.

What comes after a checkpoint depends on nothing but it: pairs are a function of their position, no random number is
drawn in between. So a run that was killed at any moment and resumed gives the bits of one that wasn't.
"""

import io
import pickle
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tiepoint.errors import StoreError
from tiepoint.feature_store import JSONScalar, differences
from tiepoint.io.atomic import atomic_write

CHECKPOINT = "checkpoint.pt"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What is written down.

    Attributes:
        settings: everything that decides what training gives, but its length.
        step: steps of the optimizer that are done.
        pairs: that the network has seen; the position in the data.
        seconds: spent on steps, in all parts of the run.
        network: tensors by parameter name.
        optimizer: AdamW's moments and counters.
    """

    settings: Mapping[str, JSONScalar]
    step: int
    pairs: int
    seconds: float
    network: Mapping[str, Any]
    optimizer: Mapping[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write the checkpoint of a folder, whole or not at all, and on the disk when this returns.

    Raises:
        InvalidInput: the folder can't be written to, or is full; the checkpoint before stays.
    """
    content = {"format": FORMAT, **{name: getattr(checkpoint, name) for name in Checkpoint.__slots__}}
    save_whole(content, folder / CHECKPOINT)
    return folder / CHECKPOINT


def save_whole(content: Any, path: Path) -> None:
    """`torch.save` to a file that appears whole or not at all, and is on the disk when this returns.

    Raises:
        InvalidInput: it can't be written; what stood there stays.
    """
    buffer = io.BytesIO()  # torch's own writer tells of a full disk with an error that says nothing of disks
    torch.save(content, buffer)
    with atomic_write(path, durable=True) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(folder: Path, settings: Mapping[str, JSONScalar]) -> Checkpoint | None:
    """Read the checkpoint of a folder; None where there is none.

    Args:
        folder: of the run.
        settings: of the run that shall go on.

    Raises:
        StoreError: the checkpoint is of other settings, and the message shows the difference; or it is damaged.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    content = _read(path)
    _compare(path, content["settings"], settings)
    return Checkpoint(**{name: content[name] for name in Checkpoint.__slots__})


def check_checkpoint(folder: Path, known: Mapping[str, JSONScalar]) -> None:
    """Find out before the work, not after it, whether a run can go on: as far as its settings are known.

    Raises:
        StoreError: as `load_checkpoint`.
    """
    path = folder / CHECKPOINT
    if path.exists():
        made = _read(path)["settings"]
        _compare(path, {name: value for name, value in made.items() if name in known}, known)


def clear_leftovers(folder: Path) -> None:
    """Remove the half-written files of a process that was killed."""
    for path in folder.glob(".tiepoint-*"):
        with suppress(OSError):
            path.unlink()


def _compare(path: Path, made: Mapping[str, JSONScalar], asked: Mapping[str, JSONScalar]) -> None:
    if difference := differences(made, asked):
        raise StoreError(
            f"{path} is of another training: {difference}; resume it with its own settings, or name another folder"
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        missing = {"format", *Checkpoint.__slots__} - set(content)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, TypeError) as error:
        raise StoreError(f"{path} is damaged ({_reason(error)}); remove it to begin again") from error
    if missing or content["format"] != FORMAT:
        raise StoreError(f"{path} isn't a checkpoint of format {FORMAT}; remove it to begin again")
    return content


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
