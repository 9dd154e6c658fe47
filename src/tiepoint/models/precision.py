"""Precision of networks: they compute in the dtype of their weights, whatever `torch.autocast` says around the call.

Half precision cannot distinguish positions above 256 px (bfloat16) or 2048 px (float16), close scores, or sums of
squares above 65504: positions, scores and norms are float32 or better.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")


def at_least_float32(values: Float[Tensor, "*_"]) -> Float[Tensor, "*_"]:
    """Convert half precision to float32; float32 and float64 are returned unchanged."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def normalize_rows(rows: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Scale each row to length 1, in float32 or better; rows of zeros stay zero."""
    return F.normalize(at_least_float32(rows), dim=1)


def network_dtype(network: nn.Module) -> torch.dtype:
    """Return the dtype of a network's first parameter or buffer, in which it computes."""
    return next(chain(network.parameters(), network.buffers())).dtype


@contextmanager
def without_autocast() -> Iterator[None]:
    """Disable `torch.autocast` where it is enabled; a context manager and a decorator."""
    with ExitStack() as stack:
        for device_type in AUTOCAST_DEVICES:
            if torch.is_autocast_enabled(device_type):
                stack.enter_context(torch.autocast(device_type, enabled=False))
        yield


@contextmanager
def ordinary_inference() -> Iterator[None]:
    """Compute without gradients and autocast, whatever the caller has set; a context manager and a decorator.

    Results are ordinary tensors, also within `torch.inference_mode`, whose tensors no later gradient may depend on.
    """
    with torch.inference_mode(False), torch.no_grad(), without_autocast():
        yield
