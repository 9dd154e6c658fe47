"""Checkpoints: the complete state of a training in one file, written atomically.

The training after a checkpoint depends on it alone: pairs are a function of their index, and no random numbers are drawn
in between. So a run that was killed at any time and resumed is bit-identical to an uninterrupted one.
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
from tiepoint.io.messages import first_line

CHECKPOINT = "checkpoint.pt"

FORMAT = 3
"""Format version; 1 had other names of settings, 2 no best weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BestWeights:
    """Weights of the best validation of a training.

    Attributes:
        step: Number of optimizer steps at the validation.
        pairs: Number of pairs trained on at the validation.
        f1: F1 score of the validation, see `ValidationMetrics`.
        validation: Digest of the protocol and the validation pairs.
        network: State dict of the network, on the CPU.
    """

    step: int
    pairs: int
    f1: float
    validation: str
    network: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """State of a training.

    Attributes:
        settings: Settings that determine the result, except the length of the training.
        step: Number of completed optimizer steps.
        pairs: Number of pairs trained on: the position in the data.
        seconds: Time spent on steps, in all parts of the run.
        network: State dict of the network.
        optimizer: State dict of the optimizer.
        best: Weights of the best validation; None before the first.
    """

    settings: Mapping[str, JSONScalar]
    step: int
    pairs: int
    seconds: float
    network: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    best: BestWeights | None = None


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write the checkpoint of a folder atomically and durably.

    Raises:
        InvalidInput: If the folder cannot be written or is full; the previous checkpoint is kept.
    """
    content = {"format": FORMAT, **_values(checkpoint)}
    content["best"] = None if checkpoint.best is None else _values(checkpoint.best)
    save_durably(content, folder / CHECKPOINT)
    return folder / CHECKPOINT


def save_durably(content: Any, path: Path) -> None:
    """`torch.save` to a file, atomically and durably.

    Raises:
        InvalidInput: If the file cannot be written; the previous file is kept.
    """
    buffer = (
        io.BytesIO()
    )  # on a full disk, PyTorch's own writer raises an error that does not mention the disk
    torch.save(content, buffer)
    with atomic_write(path, durable=True) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(folder: Path, settings: Mapping[str, JSONScalar]) -> Checkpoint | None:
    """Read the checkpoint of a folder; None if there is none.

    Args:
        folder: Output folder of the run.
        settings: Settings of the resumed run.

    Raises:
        StoreError: If the checkpoint has other settings (the message shows the difference), or is damaged.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    content = _read(path)
    _compare(path, content["settings"], settings)
    best = content.pop("best")
    values = {name: content[name] for name in Checkpoint.__slots__ if name != "best"}
    return Checkpoint(**values, best=None if best is None else BestWeights(**best))


def check_checkpoint(folder: Path, known: Mapping[str, JSONScalar]) -> None:
    """Validate before starting whether a run can be resumed, as far as its settings are known.

    Raises:
        StoreError: Same as for `load_checkpoint`.
    """
    path = folder / CHECKPOINT
    if path.exists():
        saved = _read(path)["settings"]
        _compare(path, {name: value for name, value in saved.items() if name in known}, known)


def remove_temporary_files(folder: Path) -> None:
    """Remove the incomplete files of a killed process."""
    for path in folder.glob(".tiepoint-*"):
        with suppress(OSError):
            path.unlink()


def _values(record: Checkpoint | BestWeights) -> dict[str, Any]:
    return {name: getattr(record, name) for name in type(record).__slots__}


def _compare(path: Path, saved: Mapping[str, JSONScalar], requested: Mapping[str, JSONScalar]) -> None:
    if difference := differences(saved, requested):
        raise StoreError(
            f"{path} has other settings: {difference}; resume with the same settings, or use another folder"
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        missing = {"format", *Checkpoint.__slots__} - set(content)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, TypeError) as error:
        raise StoreError(f"{path} is damaged ({first_line(error)}); remove it to start again") from error
    if missing:
        raise StoreError(f"{path} is not a checkpoint of tiepoint; remove it to start again")
    if content["format"] != FORMAT:
        raise StoreError(
            f"incompatible checkpoint {path}: format {content['format']}, expected {FORMAT}; remove it to start again"
        )
    return content
