"""Matrix products by oneDNN, which torch includes: on AMD CPUs 1.1 to 1.4 times as fast as MKL (docs/log.md).

torch uses MKL for float32 products. On other x86 CPUs both libraries are Intel's own.
"""

import functools
import platform
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

_IS_AVAILABLE = (
    platform.machine().lower() in ("x86_64", "amd64")
    and torch.backends.mkldnn.is_available()
    and hasattr(torch.ops.mkldnn, "_linear_pointwise")
)

AMD = "AuthenticAMD"

MIN_ROWS = 512  # with fewer rows both libraries are equally fast

# oneDNN caches a compiled kernel per number of rows, and torch caches it again: tens of kB each, so a process that
# matches many pairs would grow by 2 MiB per pair. Therefore rows are padded to this many sizes per octave.
_ROW_SIZES_PER_OCTAVE = 16


@functools.cache
def is_amd() -> bool:
    """Return whether this machine has an AMD CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return AMD in platform.processor()
    return any(line.startswith("vendor_id") and AMD in line for line in lines)


def is_available_for(x: Float[Tensor, "*b rows i"]) -> bool:
    """Return whether oneDNN computes products of this tensor: float32 on an x86 CPU."""
    return (
        _IS_AVAILABLE
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and bool(torch.backends.mkldnn.enabled)
    )


def linear(
    x: Float[Tensor, "rows i"], weight: Float[Tensor, "o i"], bias: Float[Tensor, "o"] | None = None
) -> Float[Tensor, "rows o"]:
    """`torch.nn.functional.linear` without gradients, with the fastest kernel available."""
    rows = len(x)
    if rows < MIN_ROWS or not is_available_for(x):
        return F.linear(x, weight, bias)
    return linear_padded(pad_rows(x, padded_rows(rows)), weight, bias)[:rows]


def linear_padded(
    x: Float[Tensor, "rows i"], weight: Float[Tensor, "o i"], bias: Float[Tensor, "o"] | None = None
) -> Float[Tensor, "rows o"]:
    """`linear` by oneDNN, for numbers of rows and outputs that are already padded (`padded_rows`).

    Weights with gaps between their rows are copied: for them oneDNN has no kernel but its reference, which is a hundred times
    slower.
    """
    return torch.ops.mkldnn._linear_pointwise(x, weight.contiguous(), bias, "none", [], "")


def products(x: Float[Tensor, "m i"], y: Float[Tensor, "n i"]) -> Float[Tensor, "m n"]:
    """`x @ y.T` without gradients, with the fastest kernel available."""
    m, n = len(x), len(y)
    if min(m, n) < MIN_ROWS or not is_available_for(x):
        return x @ y.T
    return linear_padded(pad_rows(x, padded_rows(m)), pad_rows(y, padded_rows(n)))[:m, :n]


def pad_rows(x: Float[Tensor, "*b rows i"], rows: int) -> Float[Tensor, "*b padded i"]:
    """Append rows of zeros; without copying if there are enough rows."""
    missing = rows - x.shape[-2]
    return F.pad(x, (0, 0, 0, missing)) if missing else x


def padded_rows(rows: int) -> int:
    """Round a number of rows up to one of the sizes for which oneDNN compiles kernels: at most 1 / 16 more."""
    step = 1 << max(0, rows.bit_length() - _ROW_SIZES_PER_OCTAVE.bit_length())
    return -(-rows // step) * step
