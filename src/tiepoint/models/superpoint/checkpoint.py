"""Key mapping of SuperPoint's parameters between checkpoint families, in one table for all directions.

- original: the names of `SuperPoint` here, the first release and cvg/LightGlue, such as `conv1a.weight`;
- huggingface: transformers' `SuperPointForKeypointDetection`, such as `encoder.conv_blocks.0.conv_a.weight`; inside a
  LightGlue checkpoint of transformers all names begin with `keypoint_detector.`;
- open: SuperPoint-Open, such as `backbone.0.0.conv.weight`; its batch norms are named `conv1a.bn.weight` here.

Conversion is strict: a tensor that is missing, unexpected or of the wrong shape is an error that names it.
"""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from tiepoint.errors import WeightsError
from tiepoint.models.checkpoint import check_names, load_strictly
from tiepoint.models.lightglue.checkpoint import DETECTOR_PREFIX
from tiepoint.models.superpoint.network import SuperPoint, SuperPointShape

Family = Literal["original", "huggingface", "open"]
StateDict = Mapping[str, Tensor]


class LayerKeys(NamedTuple):
    """Name of one layer in each family."""

    original: str
    huggingface: str
    open: str


ENCODER_KEYS = (
    LayerKeys("conv{level}a", "encoder.conv_blocks.{block}.conv_a", "backbone.{block}.0"),
    LayerKeys("conv{level}b", "encoder.conv_blocks.{block}.conv_b", "backbone.{block}.1"),
)
"""Layers of each level of the encoder."""

HEAD_KEYS = (
    LayerKeys("convPa", "keypoint_decoder.conv_score_a", "detector.0"),
    LayerKeys("convPb", "keypoint_decoder.conv_score_b", "detector.1"),
    LayerKeys("convDa", "descriptor_decoder.conv_descriptor_a", "descriptor.0"),
    LayerKeys("convDb", "descriptor_decoder.conv_descriptor_b", "descriptor.1"),
)

DEFAULT_LEVELS = 4
"""Number of levels of the published encoder."""

CONV = ("weight", "bias")
BATCH_NORM = ("bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
COUNTER = "bn.num_batches_tracked"
"""Used only in training; missing in files converted from TensorFlow."""


def build(state: StateDict) -> SuperPoint:
    """Build the network of a checkpoint, in evaluation mode; its sizes are inferred from the tensors.

    Args:
        state: Tensors of a checkpoint of any family, with or without the prefix `keypoint_detector.`.

    Raises:
        WeightsError: If a tensor is missing, unexpected, or has an inconsistent shape, or the encoder does not have the
            4 levels that masks and tiles rely on.
    """
    original = to_original(state)
    if (levels := _count_levels(original)) != DEFAULT_LEVELS:
        raise WeightsError(
            f"cannot extract with a SuperPoint of {levels} encoder levels, expected {DEFAULT_LEVELS}; use "
            "tiepoint.SuperPointForKeypointDetection"
        )
    with torch.device("meta"):
        network = SuperPoint(shape_of(original))
    load_strictly(network, original, "SuperPoint")
    return network.eval()


def shape_of(original: StateDict) -> SuperPointShape:
    """Infer the sizes of the network from tensors with original names."""
    levels = range(1, _count_levels(original) + 1)
    return SuperPointShape(
        widths=tuple(original[f"conv{level}a.bias"].shape[0] for level in levels),
        head_width=original["convPa.bias"].shape[0],
        dim=original["convDb.bias"].shape[0],
        batch_norm="conv1a.bn.weight" in original,
    )


def family_of(names: StateDict | set[str]) -> Family:
    """Return the family of parameter names."""
    if any(name.startswith("encoder.") for name in names):
        return "huggingface"
    return "open" if any(name.startswith("backbone.") for name in names) else "original"


def to_original(state: StateDict) -> dict[str, Tensor]:
    """Rename the tensors of any family to the original names; missing counters of batch norm are set to zero.

    Args:
        state: Tensors by name, with or without the prefix `keypoint_detector.`.

    Raises:
        WeightsError: If a tensor is missing or unexpected.
    """
    state = {name.removeprefix(DETECTOR_PREFIX): tensor for name, tensor in state.items()}
    family = family_of(state)
    batch_norm = family == "open" or (family == "original" and _has_batch_norm(state))
    names = _names(family, _count_levels(state), batch_norm=batch_norm)
    counters = {name for name in names if name.endswith(COUNTER)}
    optional = {names[ours] for ours in counters} - set(state)
    check_names(set(names.values()) - optional, set(state), f"SuperPoint ({family} names)")
    return {
        ours: torch.tensor(0, dtype=torch.int64, device="cpu") if theirs in optional else state[theirs]
        for ours, theirs in names.items()
    }


def from_original(original: StateDict, family: Family, prefix: str = "") -> dict[str, Tensor]:
    """Rename tensors from the original names to those of a family; the inverse of `to_original`.

    Args:
        original: Tensors by original name.
        family: Target family.
        prefix: Prefix of each new name; `DETECTOR_PREFIX` inside a LightGlue checkpoint of transformers.

    Raises:
        WeightsError: If a tensor is missing or unexpected, or the family does not have this variant of the network.
    """
    batch_norm = _has_batch_norm(original)
    if family != "original" and batch_norm != (family == "open"):
        form = "with batch norm" if batch_norm else "without batch norm"
        raise WeightsError(
            f"cannot convert SuperPoint {form} to {family} names; "
            f"use {'open' if batch_norm else 'huggingface'} names"
        )
    names = _names(family, _count_levels(original), batch_norm=batch_norm)
    check_names(set(names), set(original), "SuperPoint (original names)")
    return {prefix + theirs: original[ours] for ours, theirs in names.items()}


def detector_of(state: StateDict) -> dict[str, Tensor]:
    """Return the detector's tensors of a transformers LightGlue checkpoint, without their prefix."""
    return {
        name.removeprefix(DETECTOR_PREFIX): tensor
        for name, tensor in state.items()
        if name.startswith(DETECTOR_PREFIX)
    }


def _has_batch_norm(state: StateDict) -> bool:
    return any(".bn." in name for name in state)


def _count_levels(state: StateDict) -> int:
    """Return the number of levels of the encoder, in names of any family; 4 if none is found, to name what is missing."""
    found = [
        match
        for name in state
        if (match := re.match(r"conv(\d+)a\.|(?:backbone|encoder\.conv_blocks)\.(\d+)\.", name))
    ]
    return max((int(match[1] or int(match[2]) + 1) for match in found), default=DEFAULT_LEVELS)


def _names(family: Family, levels: int, *, batch_norm: bool) -> dict[str, str]:
    """Return original name -> the family's name for every parameter."""
    parameters = (*CONV, *BATCH_NORM, COUNTER) if batch_norm else CONV
    encoder = [
        LayerKeys(*(key.format(level=block + 1, block=block) for key in keys))
        for block in range(levels)
        for keys in ENCODER_KEYS
    ]
    return {
        f"{keys.original}.{parameter}": f"{getattr(keys, family)}.{_parameter_name(parameter, family)}"
        for keys in (*encoder, *HEAD_KEYS)
        for parameter in parameters
    }


def _parameter_name(parameter: str, family: Family) -> str:
    return f"conv.{parameter}" if family == "open" and parameter in CONV else parameter
