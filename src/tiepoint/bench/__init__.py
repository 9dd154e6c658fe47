"""Benchmark: time per stage on this machine, and the recommendations of `tiepoint bench --tune`.

Recommendations are reported only; no setting is changed.
"""

from tiepoint.bench.machine import Machine, describe_machine, gemm_gflops
from tiepoint.bench.memory import peak_bytes, reset_peak, resident_bytes
from tiepoint.bench.report import BenchReport, bench
from tiepoint.bench.stages import STAGES, PairReport, measure_pair
from tiepoint.bench.timing import Seconds, measure, torch_threads
from tiepoint.bench.tuning import Trial, Tuning, tune_pruning, tune_threads

__all__ = [
    "STAGES",
    "BenchReport",
    "Machine",
    "PairReport",
    "Seconds",
    "Trial",
    "Tuning",
    "bench",
    "describe_machine",
    "gemm_gflops",
    "measure",
    "measure_pair",
    "peak_bytes",
    "reset_peak",
    "resident_bytes",
    "torch_threads",
    "tune_pruning",
    "tune_threads",
]
