"""Resident memory of this process as reported by the system.

On Linux from /proc instead of `resource.getrusage`, whose peak is inherited from the parent process.
"""

import sys
from contextlib import suppress
from pathlib import Path

from tiepoint.errors import MissingDependency

STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """Return the peak resident memory of this process, or its peak since `reset_peak`, in bytes.

    Raises:
        MissingDependency: If the system does not report it (Windows).
    """
    if STATUS.exists():
        return _kilobytes("VmHWM") * 1024
    try:
        import resource
    except ImportError as error:
        raise MissingDependency(
            "this system does not report the peak memory of a process; use Linux or macOS"
        ) from error
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident_bytes() -> int:
    """Return the current resident memory in bytes; the peak where the system does not report the current value.

    Raises:
        MissingDependency: If the system reports neither (Windows).
    """
    return _kilobytes("VmRSS") * 1024 if STATUS.exists() else peak_bytes()


def reset_peak() -> None:
    """Reset the peak to the current memory; no effect where the system does not support it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(
            "5", encoding="ascii"
        )  # proc(5): "reset the peak resident set"


def _kilobytes(field: str) -> int:
    lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    (value,) = (line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return int(value)
