"""Processor, number of cores, and load of this machine."""

import os
import platform
import time
from pathlib import Path


def processor_name() -> str:
    """Return the name of the processor as reported by the system."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def available_cores() -> int:
    """Return the number of CPU cores available to this process."""
    affinity = getattr(
        os, "sched_getaffinity", None
    )  # Linux: containers and jobs may be limited to some cores
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def waiting_seconds() -> float:
    """Return how long the calling thread has waited for a core since it started; 0 where the system does not report it."""
    try:
        fields = Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()
        return int(fields[1]) / 1e9  # proc(5): "time spent waiting on a runqueue"
    except (OSError, ValueError, IndexError):
        return 0.0


def process_seconds() -> float | None:
    """Return how long ago this process was started, to 0.01 s; None where the system does not report it."""
    try:
        text = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
        ticks = int(text.rpartition(")")[2].split()[19])  # proc(5): field 22, starttime
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return None
