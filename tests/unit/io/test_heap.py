import subprocess
import sys

import pytest

from tiepoint.io import heap

FRAGMENT = """
from tiepoint.bench import resident_bytes
from tiepoint.io.heap import release_free_memory

blocks = [bytearray(100_000) for _ in range(2_000)]
kept = blocks[::20]  # between the holes, and at the end
del blocks
before = resident_bytes()
release_free_memory()
print(before - resident_bytes(), sum(map(len, kept)))
"""

REUSE = """
import resource
import sys

from tiepoint.io.heap import keep_freed_memory

assert keep_freed_memory()
for step in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [b"x" * 20_000_000 for _ in range(3)]
    del blocks
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(heap._glibc("mallopt") is None, reason="the C library is not glibc")
def test_freed_memory_is_reused_without_page_faults() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", REUSE], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    first, second = map(int, printed.split())
    assert first > 1_000
    assert second < 100


@pytest.mark.slow
@pytest.mark.skipif(heap._glibc("malloc_trim") is None, reason="the C library is not glibc")
def test_free_memory_between_used_blocks_is_returned() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", FRAGMENT], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    released, kept = map(int, printed.split())
    assert released > 150_000_000
    assert kept == 10_000_000


def test_no_effect_with_another_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_glibc", lambda name: None)
    heap.release_free_memory()
    assert not heap.keep_freed_memory()
