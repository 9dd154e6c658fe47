"""Memory of large maps."""

import contextlib
import mmap

import torch
from jaxtyping import Float
from torch import Tensor

MIN_HUGE_BYTES = 1 << 23
"""Size from which maps get their own memory in huge pages."""


def empty_map(shape: tuple[int, int, int, int], *, like: Tensor) -> Float[Tensor, "b c h w"]:
    """Return an uninitialized map in channels-last format.

    The first access to each page of new memory costs more than writing it: for a map of 46 MB 16 of 21 ms with pages of
    4 KiB, 2 of 4 ms with pages of 2 MiB. Linux uses those on request (`madvise`).

    Args:
        shape: Shape (b, c, h, w).
        like: Tensor with the dtype and device of the map.
    """
    batch, channels, height, width = shape
    values = _empty(batch * channels * height * width, like)
    return values.view(batch, height, width, channels).permute(0, 3, 1, 2)


def _empty(count: int, like: Tensor) -> Tensor:
    size = count * like.element_size()
    if like.device.type != "cpu" or size < MIN_HUGE_BYTES or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.empty(count, dtype=like.dtype, device=like.device)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # kernels without huge pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=like.dtype)
