"""The heap of glibc: when freed memory is returned to the operating system."""

import ctypes
import sys
from collections.abc import Callable
from functools import cache

# glibc's numbers of the parameters of mallopt
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 1 << 28
"""Free memory at the end of the heap that `keep_freed_memory` lets the process keep."""
MAX_HEAP_BLOCK = 1 << 25
"""Size up to which blocks are allocated on the heap; glibc accepts no larger value."""


def keep_freed_memory() -> bool:
    """Keep freed memory for later allocations, for programs that process one image after another.

    By default glibc returns the memory of large maps to the operating system when they are freed, and each first access
    to a page of new memory costs a page fault: a tenth of the time that XFeat takes. This changes the whole process,
    so it is for programs, not for libraries.

    Returns:
        Whether this C library supports it (Linux with glibc).
    """
    mallopt = _glibc("mallopt")
    if mallopt is None:
        return False
    return bool(mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)) and bool(mallopt(M_MMAP_THRESHOLD, MAX_HEAP_BLOCK))


def release_free_memory() -> None:
    """Return free heap pages to the operating system on Linux with glibc; do nothing elsewhere.

    glibc keeps freed memory for later allocations. With allocations of varying size the heap fragments, and a worker
    would grow from task to task.
    """
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


@cache
def _glibc(name: str) -> "Callable[..., int] | None":
    """Return a function of glibc; None if the C library does not have it."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
