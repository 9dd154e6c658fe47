"""Memory of this process, as the system counts it.

On Linux from /proc, and not from `resource.getrusage`, whose peak a process inherits from the one that started it.
"""

import sys
from contextlib import suppress
from pathlib import Path

from tiepoint.errors import MissingDependency

STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """The most memory that this process ever held, or held since `forget_peak`, in bytes.

    Raises:
        MissingDependency: the system doesn't tell (Windows).
    """
    if STATUS.exists():
        return _kilobytes("VmHWM") * 1024
    try:
        import resource
    except ImportError as error:
        raise MissingDependency(
            "this system doesn't tell a process's peak memory; use Linux or macOS"
        ) from error
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident_bytes() -> int:
    """The memory that this process holds now, in bytes; where the system doesn't tell, the peak until now.

    Raises:
        MissingDependency: as `peak_bytes`.
    """
    return _kilobytes("VmRSS") * 1024 if STATUS.exists() else peak_bytes()


def forget_peak() -> None:
    """Let the peak start again from what is held now; where that can't be done, the old peak stays."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(
            "5", encoding="ascii"
        )  # man 5 proc: "reset the peak resident set"


def _kilobytes(field: str) -> int:
    lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    (value,) = (line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return int(value)
