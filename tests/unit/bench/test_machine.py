"""Description of the machine; memory of the process."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from tiepoint import __version__
from tiepoint.bench import describe_machine, gemm_gflops, machine, memory
from tiepoint.bench.timing import Seconds
from tiepoint.io.machine import available_cores

LINUX = Path("/proc/self/status").exists()


def test_the_machine_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "gemm_gflops", lambda device: 123.0)
    told = describe_machine()
    assert (told.torch, told.tiepoint) == (torch.__version__, __version__)
    assert (told.device, told.gemm_gflops) == ("cpu", 123.0)
    assert told.threads == torch.get_num_threads()
    assert 1 <= told.cores == available_cores()
    assert torch.backends.cpu.get_cpu_capability() in told.processor
    assert set(map(type, asdict(told).values())) == {str, int, float}


def test_the_rate_counts_two_operations_for_each_multiplication(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "measure", lambda work, runs, device: (work(), Seconds((0.5, 0.25, 1.0)))[1])
    assert gemm_gflops(side=100) == pytest.approx(2 * 100**3 / 0.25 / 1e9)


def test_a_matrix_product_has_a_rate() -> None:
    assert gemm_gflops(side=32, runs=2) > 0


PROGRAM = """
import torch
from tiepoint.bench import reset_peak, peak_bytes, resident_bytes
before = resident_bytes()
held = torch.ones(64 << 20, dtype=torch.uint8)
resident = resident_bytes()  # first: the process may grow by a page
print(peak_bytes() - before, resident - before)
del held
reset_peak()
print(peak_bytes() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not LINUX, reason="other systems tell the peak only")
def test_resident_and_peak_memory() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    peak, held, forgotten = (int(number) / 2**20 for number in printed.split())
    assert 64 <= held <= peak < 80
    assert forgotten < 32


def test_without_proc_the_peak_is_read_from_getrusage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = memory.peak_bytes()
    monkeypatch.setattr(memory, "STATUS", tmp_path / "missing")
    assert memory.resident_bytes() == memory.peak_bytes() >= told // 2
