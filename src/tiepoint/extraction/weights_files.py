"""What a weights file of an extractor contains."""

from pathlib import Path
from typing import Any

from tiepoint.errors import WeightsError
from tiepoint.extraction.networks import PARTS
from tiepoint.models.known_networks import known_network
from tiepoint.models.lightglue.recognition import KNOWN_NAME
from tiepoint.presets import PRESETS
from tiepoint.weights.checkpoints import Checkpoint, load_checkpoint
from tiepoint.weights.table import WEIGHTS


def describe_extractor_weights(name: str | Path) -> dict[str, Any] | None:
    """Recognize the detector or descriptor in a weights file from its tensors, strictly.

    Args:
        name: Name in WEIGHTS, or path.

    Returns:
        Network, license and presets as plain values; None if the tensors are of LightGlue's family, or of no network in
        `PARTS`. Variants that differ only in their training cannot be told apart: the first one is the network, the
        others are alternatives.

    Raises:
        InvalidInput: If the name is unknown.
        WeightsError: If the file cannot be read, or a tensor of its network is missing or unexpected.
    """
    checkpoint = load_checkpoint(name)
    if any(KNOWN_NAME.fullmatch(tensor) for tensor in checkpoint.tensors):
        return None  # a matcher, whose file may contain an extractor
    known = known_network(checkpoint.tensors)
    candidates = [part for part in PARTS if known is not None and _family(part) == _family(known)]
    if known is None or not candidates:
        return None
    network, *alternatives = _fitting(candidates, checkpoint)
    return {
        "file": str(checkpoint.path),
        "network": network,
        "kind": known,
        "alternatives": alternatives,
        "license": WEIGHTS[network].license,
        "presets": [preset for preset, row in PRESETS.items() if network in row.weights],
        "prefix": checkpoint.group,
        "tensors": len(checkpoint.tensors),
        "dtype": ", ".join(
            sorted({str(t.dtype).removeprefix("torch.") for t in checkpoint.tensors.values()})
        ),
    }


def _fitting(candidates: list[str], checkpoint: Checkpoint) -> list[str]:
    """Return the candidates that the tensors fit exactly."""
    fitting, errors = list[str](), list[WeightsError]()
    for part in candidates:
        try:
            PARTS[part](checkpoint.tensors)
        except WeightsError as error:
            errors.append(error)
        else:
            fitting.append(part)
    if not fitting:
        raise WeightsError(f"{checkpoint.path}: {errors[0]}")
    return fitting


def _family(name: str) -> str:
    """Return the first word: "aliked" of "aliked-n16" and of "ALIKED, a detector"."""
    return name.split(",")[0].split()[0].split("-")[0].lower()
