"""Description of the machine that timings were measured on, and its matrix multiplication rate."""

from dataclasses import dataclass

import torch

from tiepoint import __version__
from tiepoint.bench.timing import measure
from tiepoint.io.machine import available_cores, processor_name

GEMM_SIDE = 2048
# Side of the benchmark matrices: 17 GFLOP per product, 16 MiB per matrix
GEMM_RUNS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Hardware and software of a measurement.

    Attributes:
        processor: Name of the processor and the widest vector instructions that torch uses on it.
        device: "cpu", or the name of the GPU.
        cores: Number of CPU cores available to this process.
        threads: Number of torch intra-op threads.
        gemm_gflops: Highest measured rate of a float32 product of two 2048 x 2048 matrices on `device`, in GFLOP/s.
        torch: Version of torch.
        tiepoint: Version of tiepoint.
    """

    processor: str
    device: str
    cores: int
    threads: int
    gemm_gflops: float
    torch: str
    tiepoint: str


def describe_machine(device: torch.device | str = "cpu") -> Machine:
    """Describe this machine and measure its matrix multiplication rate on `device`; takes about one second."""
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
    """Return the highest measured rate of a float32 matrix product in GFLOP/s.

    Args:
        device: Device of the matrices.
        side: Side of the square matrices.
        runs: Number of timed runs; the fastest counts, because other programs can only slow a run down.
    """
    a, b = (torch.rand(side, side, dtype=torch.float32, device=device) for _ in range(2))
    out = torch.empty_like(a)
    seconds = measure(lambda: torch.mm(a, b, out=out), runs, torch.device(device))
    return 2 * side**3 / min(seconds.runs) / 1e9
