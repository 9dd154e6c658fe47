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


ONEDNN_ROWS = 512
"""With fewer rows both libraries are equally fast."""

_STEPS = 16
"""oneDNN keeps what it compiled for every number of rows that it has met, and torch keeps it once more: tens of kB each,
so that a process which matches pair after pair would grow by 2 MiB a pair. So it meets this many numbers an octave only."""


def linear(
    x: Float[Tensor, "rows i"], weight: Float[Tensor, "o i"], bias: Float[Tensor, "o"] | None = None
) -> Float[Tensor, "rows o"]:
    """`torch.nn.functional.linear`, without gradients, of weights of few shapes."""
    rows = len(x)
    if not (_ONEDNN and rows >= ONEDNN_ROWS and _is_float32_on_cpu(x) and torch.backends.mkldnn.enabled):
        return F.linear(x, weight, bias)
    missing = rounded(rows) - rows
    padded = F.pad(x, (0, 0, 0, missing)) if missing else x
    return torch.ops.mkldnn._linear_pointwise(padded, weight, bias, "none", [], "")[:rows]


def rounded(rows: int) -> int:
    """The next number of rows that oneDNN may meet: at most 1 / 16 more, above `ONEDNN_ROWS`."""
    step = 1 << max(0, rows.bit_length() - _STEPS.bit_length())
    return -(-rows // step) * step


def _is_float32_on_cpu(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32
