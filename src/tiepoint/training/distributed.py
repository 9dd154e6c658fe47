"""The processes that train together: one alone, or those that torchrun has started."""

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

Owns: TypeAlias = Callable[[str], bool]
"""Which of the keys of a common work are a process's own."""

PATIENCE = timedelta(days=2)
"""How long the others wait while the leading process validates, or one is longer busy than they."""


@dataclass(frozen=True, slots=True)
class Processes:
    """Which of them this one is.

    Attributes:
        rank: number of this process, from 0 on; 0 alone writes files.
        count: of all processes.
        device: where this one computes.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def share(self, module: nn.Module) -> nn.Module:
        """The module, whose gradients are from now on averaged over the processes."""
        return module if self.count == 1 else DistributedDataParallel(module)

    def mean(self, values: Tensor) -> Tensor:
        """Mean of the values over the processes; the same in all of them."""
        if self.count > 1:
            dist.all_reduce(values)
        return values / self.count

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.count > 1:
            dist.barrier()

    def lead_first(self, make: Callable[[], T]) -> T:
        """What `make` makes, in every process; the leading one is done before the others begin."""
        if self.leads:
            made = make()
            self.same(None)
            return made
        self.same(None)
        return make()

    def in_shares(self, make: Callable[[Owns], T]) -> T:
        """What `make` makes of everything, in every process; before, each has made what is its own.

        Args:
            make: keeps what it makes where all processes find it, so that nothing is made twice.
        """
        if self.count > 1:
            make(self.owns)
            self.wait()
        return self.lead_first(lambda: make(owns_all))

    def owns(self, key: str) -> bool:
        """Whether a key is this process's own: every key is that of one process, whatever is done already."""
        return zlib.crc32(key.encode()) % self.count == self.rank

    def same(self, value: Any) -> Any:
        """What the leading process gives, in all of them; they wait for it here."""
        values = [value]
        if self.count > 1:
            dist.broadcast_object_list(values, device=self.device)
        return values[0]


def owns_all(_: str) -> bool:
    """A process that does all the work."""
    return True


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether matrix products in bfloat16 are faster than in float32: on GPUs, and CPUs that have instructions for it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # private, and absent from older versions of torch: what can't be asked is answered with no
    known = [getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile")]
    return device.type == "cpu" and any(is_supported() for is_supported in known if is_supported)


@contextmanager
def joined_processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun has started; without torchrun, this one is alone.

    Args:
        device: a GPU without a number becomes that of this process's number on its machine.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or not dist.is_torchelastic_launched():
        yield Processes(0, 1, device)
        return
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Processes(dist.get_rank(), count, device)
    finally:
        dist.destroy_process_group()
