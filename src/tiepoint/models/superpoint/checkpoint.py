"""One table of the names that SuperPoint's parameters have in each family of checkpoints, used in all directions.

- original: what `SuperPoint` here, the first release and cvg/LightGlue use, `conv1a.weight`;
- huggingface: transformers' `SuperPointForKeypointDetection`, `encoder.conv_blocks.0.conv_a.weight`; inside a
  LightGlue of transformers all names begin with `keypoint_detector.`;
- open: SuperPoint-Open, `backbone.0.0.conv.weight`, and its batch norms, which here are `conv1a.bn.weight` and so on.

Everything is strict: a tensor that is missing, unexpected or of another shape is an error that names it.
"""

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


class Tie(NamedTuple):
    """One row: a layer's name in each family."""

    original: str
    huggingface: str
    open: str


TIES = (
    Tie("conv1a", "encoder.conv_blocks.0.conv_a", "backbone.0.0"),
    Tie("conv1b", "encoder.conv_blocks.0.conv_b", "backbone.0.1"),
    Tie("conv2a", "encoder.conv_blocks.1.conv_a", "backbone.1.0"),
    Tie("conv2b", "encoder.conv_blocks.1.conv_b", "backbone.1.1"),
    Tie("conv3a", "encoder.conv_blocks.2.conv_a", "backbone.2.0"),
    Tie("conv3b", "encoder.conv_blocks.2.conv_b", "backbone.2.1"),
    Tie("conv4a", "encoder.conv_blocks.3.conv_a", "backbone.3.0"),
    Tie("conv4b", "encoder.conv_blocks.3.conv_b", "backbone.3.1"),
    Tie("convPa", "keypoint_decoder.conv_score_a", "detector.0"),
    Tie("convPb", "keypoint_decoder.conv_score_b", "detector.1"),
    Tie("convDa", "descriptor_decoder.conv_descriptor_a", "descriptor.0"),
    Tie("convDb", "descriptor_decoder.conv_descriptor_b", "descriptor.1"),
)

CONV = ("weight", "bias")
BATCH_NORM = ("bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
COUNTER = "bn.num_batches_tracked"
"""Read in training only, and missing in files that were converted from TensorFlow."""


def build(state: StateDict) -> SuperPoint:
    """Make the network whose weights these are, in evaluation mode; its shape is read off the tensors.

    Args:
        state: the tensors of a checkpoint of any family, with or without `keypoint_detector.` before each name.

    Raises:
        WeightsError: a tensor is missing, unexpected, or its shape doesn't fit the others.
    """
    original = to_original(state)
    with torch.device("meta"):
        network = SuperPoint(shape_of(original))
    load_strictly(network, original, "SuperPoint")
    return network.eval()


def shape_of(original: StateDict) -> SuperPointShape:
    """Read the widths off the tensors, under their original names."""
    w1, w2, w3, w4 = (original[f"conv{stage}a.bias"].shape[0] for stage in (1, 2, 3, 4))
    return SuperPointShape(
        widths=(w1, w2, w3, w4),
        head_width=original["convPa.bias"].shape[0],
        dim=original["convDb.bias"].shape[0],
        batch_norm="conv1a.bn.weight" in original,
    )


def family_of(names: StateDict | set[str]) -> Family:
    """Which family's names these are."""
    if any(name.startswith("encoder.") for name in names):
        return "huggingface"
    return "open" if any(name.startswith("backbone.") for name in names) else "original"


def to_original(state: StateDict) -> dict[str, Tensor]:
    """Rename the tensors of any family to the original form; batch norms get counters where they lack them.

    Args:
        state: with or without `keypoint_detector.` before each name.

    Raises:
        WeightsError: a tensor is missing or unexpected.
    """
    state = {name.removeprefix(DETECTOR_PREFIX): tensor for name, tensor in state.items()}
    family = family_of(state)
    names = _names(family, batch_norm=family == "open" or (family == "original" and _has_batch_norm(state)))
    counters = {ours for ours in names if ours.endswith(COUNTER)}
    optional = {names[ours] for ours in counters} - set(state)
    check_names(set(names.values()) - optional, set(state), f"SuperPoint ({family} names)")
    return {ours: torch.tensor(0) if theirs in optional else state[theirs] for ours, theirs in names.items()}


def from_original(original: StateDict, family: Family, prefix: str = "") -> dict[str, Tensor]:
    """The inverse of `to_original`.

    Args:
        original: the tensors under their original names.
        family: whose names are asked for.
        prefix: put before each name; `DETECTOR_PREFIX` for the inside of a LightGlue of transformers.

    Raises:
        WeightsError: a tensor is missing or unexpected, or the family doesn't have this form of the network.
    """
    batch_norm = _has_batch_norm(original)
    if family != "original" and batch_norm != (family == "open"):
        form = "with batch norm" if batch_norm else "without batch norm"
        raise WeightsError(
            f"SuperPoint's {family} names have no place for a network {form}; "
            f"ask for {'open' if batch_norm else 'huggingface'} names"
        )
    names = _names(family, batch_norm=batch_norm)
    check_names(set(names), set(original), "SuperPoint (original names)")
    return {prefix + theirs: original[ours] for ours, theirs in names.items()}


def detector_of(state: StateDict) -> dict[str, Tensor]:
    """The tensors of the detector in a file of LightGlue from transformers, without their prefix."""
    return {
        name.removeprefix(DETECTOR_PREFIX): tensor
        for name, tensor in state.items()
        if name.startswith(DETECTOR_PREFIX)
    }


def _has_batch_norm(state: StateDict) -> bool:
    return any(".bn." in name for name in state)


def _names(family: Family, *, batch_norm: bool) -> dict[str, str]:
    """Every parameter: original name -> the family's name."""
    parameters = (*CONV, *BATCH_NORM, COUNTER) if batch_norm else CONV
    return {
        f"{tie.original}.{parameter}": f"{getattr(tie, family)}.{_spelled(parameter, family)}"
        for tie in TIES
        for parameter in parameters
    }


def _spelled(parameter: str, family: Family) -> str:
    return f"conv.{parameter}" if family == "open" and parameter in CONV else parameter
