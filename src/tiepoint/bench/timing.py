"""Seconds of a piece of work, run several times after one run that warms up."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch

from tiepoint.errors import InvalidInput

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Seconds:
    """What each run took, in the order of the runs."""

    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of the runs were quicker."""
        return statistics.median(self.runs)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The range that holds the middle half of the runs."""
        low, _, high = statistics.quantiles(
            self.runs * 2 if len(self.runs) == 1 else self.runs, n=4, method="inclusive"
        )
        return low, high

    def to_dict(self) -> dict[str, Any]:
        """Median, quartiles and every run, for JSON."""
        return {"median": self.median, "quartiles": list(self.quartiles), "runs": list(self.runs)}


def measure(work: Callable[[], object], runs: int, device: torch.device = CPU) -> Seconds:
    """Run once to warm up, then `runs` times against the clock.

    Raises:
        InvalidInput: fewer than one run.
    """
    check_runs(runs)
    work()
    return Seconds(tuple(seconds_of(work, device) for _ in range(runs)))


def seconds_of(work: Callable[[], object], device: torch.device = CPU) -> float:
    """How long this takes, until the device has finished it."""
    finish(device)
    start = perf_counter()
    work()
    finish(device)
    return perf_counter() - start


def finish(device: torch.device) -> None:
    """Wait until the device has done everything that was asked of it; the processor always has."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


@contextmanager
def torch_threads(count: int | None) -> Iterator[int]:
    """Let torch compute with this many threads for a while; None: as it is. Gives the number.

    Raises:
        InvalidInput: fewer than one.
    """
    if count is not None and count < 1:
        raise InvalidInput(f"threads must be a whole number above 0, but is {count!r}")
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def check_runs(runs: int) -> None:
    """Raise InvalidInput for fewer than one run."""
    if runs < 1:
        raise InvalidInput(f"runs must be a whole number above 0, but is {runs!r}")
