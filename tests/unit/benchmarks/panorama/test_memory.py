"""The peak memory is that of the process itself."""

import sys

import numpy as np
import pytest
from benchmarks.panorama.memory import peak_memory_mb


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_the_peak_of_the_starting_process_does_not_count() -> None:
    large = np.ones(150_000_000)  # 1.1 GiB
    del large
    assert 5 < peak_memory_mb(["--version"]) < 600


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_failed_command_ends_the_measurement() -> None:
    with pytest.raises(SystemExit, match="exit status 2"):
        peak_memory_mb(["stitch", "--none"])
