"""What a long-lived process gives back to the system."""

import ctypes
import sys
from collections.abc import Callable
from functools import cache


def release_free_memory() -> None:
    """Give free pages back, where the C library is glibc; elsewhere do nothing.

    glibc keeps what is freed for what is asked for next. Between memory of changing sizes small things stay behind, until
    what is asked for fits into none of the holes, and a process grows from task to task.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> "Callable[[int], int] | None":
    """Glibc's `malloc_trim`; None where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
