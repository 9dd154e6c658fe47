"""Matrix products with weights, by the fastest kernel at hand."""

import platform

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

_ONEDNN = (
    platform.machine().lower() in ("x86_64", "amd64")
    and torch.backends.mkldnn.is_available()
    and hasattr(torch.ops.mkldnn, "_linear_pointwise")
)
"""torch sends float32 products to MKL. On AMD's processors oneDNN, which torch carries too, is 1.1 to 1.4 times as
fast (docs/log.md); elsewhere both are Intel's own."""


def linear(
    x: Float[Tensor, "rows i"], weight: Float[Tensor, "o i"], bias: Float[Tensor, "o"] | None = None
) -> Float[Tensor, "rows o"]:
    """`torch.nn.functional.linear`, without gradients."""
    if _ONEDNN and x.device.type == "cpu" and x.dtype == torch.float32 and torch.backends.mkldnn.enabled:
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return F.linear(x, weight, bias)
