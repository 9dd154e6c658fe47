"""A checkpoint file of LightGlue or one of its descendants -> recognized weights; inspection and conversion of files."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType]

from tiepoint.errors import WeightsError
from tiepoint.io.atomic import atomic_write
from tiepoint.matching.adapters import BASE, find_base, is_adapter, merge
from tiepoint.models.lightglue.checkpoint import from_official
from tiepoint.models.lightglue.recognition import OWN_FAMILY, Recognized, recognize
from tiepoint.weights.checkpoints import Checkpoint, load_checkpoint

Target: TypeAlias = Literal["official", "huggingface", "safetensors"]
"""Formats that `convert` writes: names of cvg/LightGlue; names of Hugging Face's model; official names with the family in
the metadata, which holds every family."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LightGlueFile:
    """A checkpoint file and the weights recognized in it.

    Attributes:
        checkpoint: Content of the file.
        weights: Weights of the matcher.
    """

    checkpoint: Checkpoint
    weights: Recognized

    def describe(self) -> dict[str, Any]:
        """Return the family, the shape and the source of the weights as plain values."""
        weights, shape, family = self.weights, self.weights.shape, self.weights.family
        return {
            "file": str(self.checkpoint.path),
            "adapter_of": self.checkpoint.metadata.get(BASE, ""),
            "family": family.name,
            "alternatives": list(weights.alternatives),
            "features": family.features,
            "license": family.license,
            "source": family.source,
            "names": weights.format,
            "prefix": ".".join(filter(None, (self.checkpoint.group, weights.prefix))),
            "ignored": dict(weights.ignored),
            "dtype": ", ".join(sorted({_dtype_name(tensor) for tensor in weights.tensors.values()})),
            "input_dim": shape.input_dim,
            "dim": shape.dim,
            "layers": shape.layers,
            "heads": shape.heads,
            "position_dim": shape.position_dim,
            "normalization": shape.normalization,
            "size_order": shape.size_order,
            "token_confidence": shape.token_confidence,
            "score_matchability": shape.score_matchability,
            "shared_qk": shape.shared_qk,
        }


def open_lightglue(
    name: str | Path, *, kind: str | None = None, accept_license: bool = False, progress: bool = False
) -> LightGlueFile:
    """Read a checkpoint of LightGlue or one of its descendants, strictly; an adapter is merged with its base.

    Args:
        name: Name in WEIGHTS, or path.
        kind: Family, where tensors cannot tell it; None recognizes it.
        accept_license: Accept a license that forbids commercial use.
        progress: Show the progress of a download on stderr.

    Raises:
        InvalidInput: If the name is unknown.
        WeightsError: If the file cannot be read, its tensors are not exactly those of a LightGlue, or `kind` contradicts
            them.
    """
    checkpoint = load_checkpoint(name, accept_license=accept_license, progress=progress)
    if is_adapter(checkpoint.metadata):
        base = find_base(
            checkpoint.path, checkpoint.metadata, accept_license=accept_license, progress=progress
        )
        weights = open_lightglue(base, kind=kind).weights
        tensors = merge(weights.tensors, checkpoint.tensors, str(checkpoint.path))
        return LightGlueFile(checkpoint=checkpoint, weights=replace(weights, tensors=tensors))
    try:
        return LightGlueFile(
            checkpoint=checkpoint, weights=recognize(checkpoint.tensors, checkpoint.metadata, kind)
        )
    except WeightsError as error:
        raise WeightsError(f"{checkpoint.path}: {error}") from error


def convert_lightglue(
    name: str | Path, output: Path, target: Target, *, kind: str | None = None
) -> LightGlueFile:
    """Write a checkpoint in another format; tensors keep their bits.

    Args:
        name: Name in WEIGHTS, or path.
        output: File to write: .safetensors for "huggingface" and "safetensors", a torch file for "official".
        target: Format to write.
        kind: Family, where tensors cannot tell it.

    Returns:
        The converted file.

    Raises:
        WeightsError: If the file cannot be read, or the target cannot hold the family.
    """
    source = open_lightglue(name, kind=kind)
    content = _content(source.weights, target)
    with atomic_write(output) as temporary:
        if target == "official":
            torch.save(content, temporary)
        else:
            metadata = {"format": "pt"}
            if target == "safetensors":
                metadata[OWN_FAMILY] = source.weights.family.name
            save_file(content, temporary, metadata)
    return source


def _content(weights: Recognized, target: Target) -> dict[str, torch.Tensor]:
    if target == "safetensors":
        return {name: tensor.contiguous() for name, tensor in weights.tensors.items()}
    if weights.family.switches:
        switches = ", ".join(f"{name} = {value}" for name, value in weights.family.switches.items())
        raise WeightsError(
            f"cannot convert {weights.family.name} to {target}: that format has no place for {switches}, and its programs "
            "would compute something else; convert to safetensors"
        )
    converted = from_official(weights.tensors, target)
    return {name: tensor.contiguous() for name, tensor in converted.items()}


def _dtype_name(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
