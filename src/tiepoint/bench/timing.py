"""Timed runs of a function after one warm-up run."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch

from tiepoint.io.validation import check_integer
from tiepoint.models.device import synchronize

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Seconds:
    """Times of the runs in seconds, in order."""

    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median of the runs in seconds."""
        return statistics.median(self.runs)

    @property
    def quartiles(self) -> tuple[float, float]:
        """First and third quartile of the runs in seconds (the interquartile range)."""
        low, _, high = statistics.quantiles(
            self.runs * 2 if len(self.runs) == 1 else self.runs, n=4, method="inclusive"
        )
        return low, high

    def to_dict(self) -> dict[str, Any]:
        """Return median, quartiles and all runs as JSON values."""
        return {"median": self.median, "quartiles": list(self.quartiles), "runs": list(self.runs)}


def measure(work: Callable[[], object], runs: int, device: torch.device = CPU) -> Seconds:
    """Run a function once to warm up, then time `runs` runs.

    Raises:
        InvalidInput: If `runs` is less than 1.
    """
    check_integer("runs", runs, 1)
    work()
    return Seconds(tuple(seconds_of(work, device) for _ in range(runs)))


def seconds_of(work: Callable[[], object], device: torch.device = CPU) -> float:
    """Return the time of one call in seconds, including the synchronization of the device."""
    synchronize(device)
    start = perf_counter()
    work()
    synchronize(device)
    return perf_counter() - start


@contextmanager
def torch_threads(count: int | None) -> Iterator[int]:
    """Set the number of torch CPU threads within a block; None keeps it. Yields the number.

    Raises:
        InvalidInput: If `count` is less than 1.
    """
    if count is not None:
        check_integer("threads", count, 1)
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
