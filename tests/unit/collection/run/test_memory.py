import subprocess
import sys

import pytest

from tiepoint.collection.run import memory

PROGRAM = """
from tiepoint.bench import resident_bytes
from tiepoint.collection.run.memory import release_free_memory

blocks = [bytearray(100_000) for _ in range(2_000)]
kept = blocks[::20]  # between the holes, and at the end
del blocks
before = resident_bytes()
release_free_memory()
print(before - resident_bytes(), sum(map(len, kept)))
"""


@pytest.mark.slow
@pytest.mark.skipif(memory._malloc_trim() is None, reason="the C library is not glibc")
def test_free_memory_between_used_blocks_is_returned() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    released, kept = map(int, printed.split())
    assert released > 150_000_000
    assert kept == 10_000_000


def test_no_effect_with_another_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_malloc_trim", lambda: None)
    memory.release_free_memory()
