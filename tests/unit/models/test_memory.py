"""Large maps are ordinary tensors."""

import mmap

import pytest
import torch

from tiepoint.models import memory
from tiepoint.models.memory import empty_map


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("min_bytes", [1, 1 << 30])
def test_maps_are_channels_last_and_writable(dtype, min_bytes, monkeypatch):
    monkeypatch.setattr(memory, "MIN_HUGE_BYTES", min_bytes)
    maps = empty_map((2, 3, 4, 5), like=torch.empty(1, dtype=dtype))
    assert maps.shape == (2, 3, 4, 5)
    assert maps.dtype == dtype
    assert maps.is_contiguous(memory_format=torch.channels_last)
    assert bool((maps.fill_(3) == 3).all())


def test_kernels_without_huge_pages(monkeypatch):
    class Memory(mmap.mmap):
        def madvise(self, *_: int) -> None:
            raise OSError("invalid argument")

    monkeypatch.setattr(memory, "MIN_HUGE_BYTES", 1)
    monkeypatch.setattr(mmap, "mmap", Memory)
    assert empty_map((1, 1, 2, 2), like=torch.empty(1)).fill_(1).sum() == 4
