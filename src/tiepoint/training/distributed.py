"""Distributed training: a single process, or those started by torchrun."""

import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")

KeyFilter: TypeAlias = Callable[[str], bool]
"""Selects the keys that a process works on."""

TIMEOUT = timedelta(days=2)
"""Maximum time that processes wait for each other, for example while the main process validates."""


@dataclass(frozen=True, slots=True)
class DistributedContext:
    """This process among those that train together.

    Attributes:
        rank: Index of this process; process 0 is the main process.
        world_size: Number of processes.
        device: Device of this process.
    """

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_main_process(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """Wrap a module in DistributedDataParallel, which averages its gradients over the processes."""
        return module if self.world_size == 1 else DistributedDataParallel(module)

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of values over the processes, in all of them."""
        if self.world_size > 1:
            dist.all_reduce(values)
        return values / self.world_size

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.world_size > 1:
            dist.barrier()

    def main_process_first(self, compute: Callable[[], T]) -> T:
        """Compute a value in every process, in the main process before the others start."""
        if self.is_main_process:
            value = compute()
            self.broadcast(None)
            return value
        self.broadcast(None)
        return compute()

    def sharded(self, compute: Callable[[KeyFilter], T]) -> T:
        """Compute a value in every process after the work was divided between them.

        Args:
            compute: Function of the keys to work on; it stores results where all processes find them, so that no work
                is done twice.
        """
        if self.world_size > 1:
            compute(self.owns)
            self.barrier()
        return self.main_process_first(lambda: compute(accept_all))

    def owns(self, key: str) -> bool:
        """Whether this process works on a key; every key belongs to exactly one process."""
        return zlib.crc32(key.encode()) % self.world_size == self.rank

    def broadcast(self, value: Any) -> Any:
        """Return the value of the main process, in all processes."""
        values = [value]
        if self.world_size > 1:
            dist.broadcast_object_list(values, device=self.device)
        return values[0]


def accept_all(_: str) -> bool:
    """Accept every key."""
    return True


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether matrix products are faster in bfloat16 than in float32: on GPUs, and CPUs with instructions for it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # private and missing in older versions of torch, where the answer is no
    checks = [getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile")]
    return device.type == "cpu" and any(is_supported() for is_supported in checks if is_supported)


@contextmanager
def init_distributed(device: torch.device) -> Iterator[DistributedContext]:
    """Join the process group of torchrun; without torchrun, this process is alone.

    Args:
        device: Device; a GPU without an index becomes the one of this process's local rank.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1 or not dist.is_torchelastic_launched():
        yield DistributedContext(0, 1, device)
        return
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield DistributedContext(dist.get_rank(), world_size, device)
    finally:
        dist.destroy_process_group()
