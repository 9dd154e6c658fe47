"""malloc_trim: return free memory of a long-lived worker to the operating system."""

import ctypes
import sys
from collections.abc import Callable
from functools import cache


def release_free_memory() -> None:
    """Return free heap pages to the operating system on Linux with glibc; do nothing elsewhere.

    glibc keeps freed memory for later allocations. With allocations of varying size the heap fragments, and a worker
    would grow from task to task.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> "Callable[[int], int] | None":
    """Return glibc's `malloc_trim`; None if the C library does not have it."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
