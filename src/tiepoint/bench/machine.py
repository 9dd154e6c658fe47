"""The machine, and the rate of its matrix products: what seconds must be read beside."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from tiepoint import __version__
from tiepoint.bench.timing import measure

GEMM_SIDE = 2048
"""The matrix product that counts as the machine's best: 17 GFLOP, 16 MiB a matrix."""
GEMM_RUNS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where, and with what, something was measured.

    Attributes:
        processor: its name, and the widest vectors that torch uses on it.
        device: "cpu", or the GPU's name.
        cores: that this process may use.
        threads: of torch, within one operation.
        gemm_gflops: best rate of a float32 product of two 2048 x 2048 matrices on `device`, in 1e9 operations a
            second; measured now.
        torch: version.
        tiepoint: version.
    """

    processor: str
    device: str
    cores: int
    threads: int
    gemm_gflops: float
    torch: str
    tiepoint: str


def describe_machine(device: torch.device | str = "cpu") -> Machine:
    """Describe this machine, and measure its matrix products on `device`; takes about a second."""
    device = torch.device(device)
    return Machine(
        processor=f"{processor_name()}, {torch.backends.cpu.get_cpu_capability()}",
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        cores=available_cores(),
        threads=torch.get_num_threads(),
        gemm_gflops=gemm_gflops(device),
        torch=str(torch.__version__),
        tiepoint=__version__,
    )


def gemm_gflops(device: torch.device | str = "cpu", *, side: int = GEMM_SIDE, runs: int = GEMM_RUNS) -> float:
    """Best rate of a float32 matrix product, in 1e9 operations a second.

    Args:
        device: where.
        side: of the square matrices.
        runs: the quickest counts: other programs can only make it slower.
    """
    a, b = (torch.rand(side, side, device=device) for _ in range(2))
    out = torch.empty_like(a)
    seconds = measure(lambda: torch.mm(a, b, out=out), runs, torch.device(device))
    return 2 * side**3 / min(seconds.runs) / 1e9


def processor_name() -> str:
    """The processor's name as its maker writes it, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def available_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(
        os, "sched_getaffinity", None
    )  # Linux; a container or job may own a part of the machine
    return len(affinity(0)) if affinity else os.cpu_count() or 1
