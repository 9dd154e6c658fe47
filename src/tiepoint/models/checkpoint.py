"""Strict loading: a checkpoint fits its network tensor for tensor, or an error names what doesn't."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from tiepoint.errors import WeightsError


def load_strictly(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Put the tensors of `state` into `network`.

    Args:
        network: the module to fill.
        state: tensors by parameter name; `num_batches_tracked` counters of batch norms may be missing.
        what: the name of the weights, for messages.

    Raises:
        WeightsError: a tensor is missing, unexpected, or has another shape than the network's.
    """
    expected = network.state_dict()
    optional = {name for name in expected if name.endswith("num_batches_tracked")}
    check_names(set(expected) - (optional - set(state)), set(state), what)
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            raise WeightsError(
                f"{what}'s weights don't fit: {name} must have shape {tuple(expected[name].shape)}, "
                f"but has {tuple(tensor.shape)}; is this the file of another variant?"
            )
    counters = {name: torch.zeros_like(expected[name], device="cpu") for name in optional}
    network.load_state_dict(counters | dict(state), strict=True, assign=True)


def check_names(expected: set[str], found: set[str], what: str) -> None:
    """Raise WeightsError, naming them, when tensors are missing or unexpected."""
    missing, unexpected = expected - found, found - expected
    if missing or unexpected:
        differences = {"missing": missing, "unexpected": unexpected}
        wrong = [f"{how} {some(names)}" for how, names in differences.items() if names]
        raise WeightsError(
            f"{what}'s weights don't fit: {'; '.join(wrong)}; is this the file of another network?"
        )


def some(names: Iterable[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    names = sorted(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
