# The public names: `__init__.py` resolves them lazily from this stub.
from .latency import (
    LatencyReport as LatencyReport,
    tune_latency as tune_latency,
)
from .machine import (
    Machine as Machine,
    describe_machine as describe_machine,
    gemm_gflops as gemm_gflops,
)
from .memory import (
    peak_bytes as peak_bytes,
    reset_peak as reset_peak,
    resident_bytes as resident_bytes,
)
from .presets import (
    PresetsReport as PresetsReport,
    bench_presets as bench_presets,
)
from .report import (
    BenchReport as BenchReport,
    bench as bench,
)
from .stages import (
    STAGES as STAGES,
    PairReport as PairReport,
    measure_pair as measure_pair,
)
from .timing import (
    Seconds as Seconds,
    measure as measure,
    torch_threads as torch_threads,
)
from .tuning import (
    Trial as Trial,
    Tuning as Tuning,
    tune_pruning as tune_pruning,
    tune_threads as tune_threads,
)

__all__: list[str]
