"""Strict loading: every tensor of a checkpoint must fit its network, or an error names those that do not."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from tiepoint.errors import WeightsError
from tiepoint.models.known_networks import known_network

MAX_LISTED_NAMES = 5  # in error messages


def load_strictly(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Load the tensors of a state dict into a network.

    Args:
        network: Network to fill, possibly on the meta device.
        state: Tensors by parameter name; the `num_batches_tracked` counters of batch norm may be missing.
        what: Name of the weights for error messages.

    Raises:
        WeightsError: If a tensor is missing, unexpected, or has the wrong shape.
    """
    expected = network.state_dict()
    optional = {name for name in expected if name.endswith("num_batches_tracked")}
    check_names(set(expected) - (optional - set(state)), set(state), what)
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            raise WeightsError(
                f"cannot load {what} weights: {name} must have shape {tuple(expected[name].shape)}, "
                f"got {tuple(tensor.shape)}; is this the file of another variant?"
            )
    counters = {name: torch.zeros_like(expected[name], device="cpu") for name in optional}
    network.load_state_dict(counters | dict(state), strict=True, assign=True)


def check_names(expected: set[str], found: set[str], what: str) -> None:
    """Check that the tensor names of a checkpoint are the expected ones.

    Raises:
        WeightsError: If tensors are missing or unexpected; the message names them.
    """
    missing, unexpected = expected - found, found - expected
    if missing or unexpected:
        differences = {"missing": (missing, unexpected), "unexpected": (unexpected, missing or expected)}
        wrong = [
            f"{kind} {list_names(names)}{nearest_name(min(names), others)}"
            for kind, (names, others) in differences.items()
            if names
        ]
        raise WeightsError(f"cannot load {what} weights: {'; '.join(wrong)}; {_origin(found, what)}")


def _origin(found: set[str], what: str) -> str:
    """Return which network the tensors are of, if it is known and not the one that is loaded."""
    network = known_network(found)
    if network is None or network.split()[0].strip(",").lower() in what.lower():
        return "is this the file of another network?"
    return f"these are weights of {network}"


def nearest_name(name: str, others: set[str]) -> str:
    """Return the most similar name of the other side, for an error message; "" if none is similar."""
    close = get_close_matches(name, sorted(others), n=1, cutoff=0.7)
    return f" (nearest name: {close[0]})" if close else ""


def list_names(names: Iterable[str], max_names: int = MAX_LISTED_NAMES) -> str:
    """Return the first names in alphabetical order, and the number of those left out."""
    names = sorted(names)
    more = f" and {len(names) - max_names} more" if len(names) > max_names else ""
    return ", ".join(names[:max_names]) + more
