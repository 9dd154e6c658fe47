"""Side-by-side timing of implementations, shared by all benchmarks.

In each run every implementation does the same work once, in turn, because machines are noisy: a slow minute is slow for
all. Ratios are taken within a run, so that their quartiles show the uncertainty of the median ratio.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

from rich.console import Console

from benchmarks.records import add_quick_argument, add_records_argument
from tiepoint.bench import Seconds
from tiepoint.bench.timing import seconds_of

OURS = "tiepoint"
DEFAULT_RUNS, QUICK_RUNS, MIN_RUNS = 5, 1, 3

MAX_CASE_SECONDS = 180.0
"""Time after which a case gets no more than `MIN_RUNS` runs."""

MAX_COUNT_DIFFERENCE = 0.02
"""Relative difference of counts beyond which implementations do not do the same work; the table marks them."""

MIN_COUNT_DIFFERENCE = 5
"""Absolute difference of counts that is always accepted."""

Work = Callable[[], int]
"""Does the work and returns the number of keypoints or matches."""


@dataclass(frozen=True)
class Case:
    """One row: the same work, done by each implementation.

    Attributes:
        group: Group of rows.
        name: Name of the row.
        implementations: Implementation -> work.
        facts: Facts for the record.
        measure_facts: Function that returns further facts, called before the runs.
        measure_rates: Function that returns the machine's rates, called in every run.
    """

    group: str
    name: str
    implementations: Mapping[str, Work]
    facts: Mapping[str, Any] = field(default_factory=dict)
    measure_facts: Callable[[], Mapping[str, Any]] = dict
    measure_rates: Callable[[], Mapping[str, float]] = dict


@dataclass(frozen=True)
class Timing:
    """Measurements of a case; field names are those of the record.

    Attributes:
        group: Group of rows.
        name: Name of the row.
        facts: Facts about the case.
        found: Implementation -> number of keypoints or matches.
        seconds: Implementation -> seconds of every run.
        rates: Machine's rates in every run.
    """

    group: str
    name: str
    facts: Mapping[str, Any]
    found: Mapping[str, int]
    seconds: Mapping[str, list[float]]
    rates: list[Mapping[str, float]] = field(default_factory=list)


def add_timing_arguments(parser: argparse.ArgumentParser, record: str) -> None:
    """Add the options that all timed benchmarks share."""
    parser.add_argument(
        "--runs",
        type=int,
        help=f"Timed runs after a warm-up (default: {DEFAULT_RUNS}; --quick: {QUICK_RUNS}).",
    )
    parser.add_argument("--only", default="", help="Run only cases whose name contains this text.")
    add_quick_argument(parser)
    add_records_argument(parser, record)


def num_runs(arguments: argparse.Namespace) -> int:
    """Return the number of timed runs."""
    return arguments.runs or (QUICK_RUNS if arguments.quick else DEFAULT_RUNS)


def time_cases(cases: Iterable[Case], *, runs: int, only: str = "") -> list[Timing]:
    """Time the selected cases and print one line per case."""
    console = Console(stderr=True)
    timings = []
    for case in cases:
        if only in case.name:
            timings.append(time_case(case, runs))
            console.print(summary(timings[-1]), highlight=False, soft_wrap=True)
    return timings


def time_case(case: Case, runs: int) -> Timing:
    """Warm up each implementation once, then run them in turn, `runs` times or for `MAX_CASE_SECONDS`."""
    found = {name: work() for name, work in case.implementations.items()}
    facts = {**case.facts, **case.measure_facts()}
    seconds: dict[str, list[float]] = {name: [] for name in case.implementations}
    rates: list[Mapping[str, float]] = []
    start = perf_counter()
    for run in range(runs):
        if run >= MIN_RUNS and perf_counter() - start > MAX_CASE_SECONDS:
            break
        rates.append(case.measure_rates())
        for name, work in case.implementations.items():
            seconds[name].append(seconds_of(work))
    return Timing(case.group, case.name, facts, found, seconds, rates)


def deviating_counts(found: Mapping[str, int]) -> dict[str, int]:
    """Return the implementations whose count differs from ours, so that times are not comparable."""
    ours = found.get(OURS, 0)
    tolerance = max(MIN_COUNT_DIFFERENCE, MAX_COUNT_DIFFERENCE * ours)
    return {name: count for name, count in found.items() if abs(count - ours) > tolerance}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Seconds:
    """Return the ratio of their time to ours in every run, with median and quartiles."""
    return Seconds(tuple(t / o for o, t in zip(ours, theirs, strict=True)))


def as_dicts(timings: Iterable[Timing]) -> list[dict[str, Any]]:
    """Return timings as dicts for the record."""
    return [asdict(timing) for timing in timings]


def summary(timing: Timing) -> str:
    """Return one line with the median time of each implementation and its ratio to ours."""
    medians = {name: Seconds(tuple(runs)).median for name, runs in timing.seconds.items()}
    cells = [
        f"{name} {seconds:.3f} s" + ("" if name == OURS else f" (x {seconds / medians[OURS]:.2f})")
        for name, seconds in medians.items()
    ]
    deviations = [
        f"{name} FOUND {count}, {OURS} {timing.found[OURS]}"
        for name, count in deviating_counts(timing.found).items()
    ]
    return f"{timing.group}: {timing.name:44} " + "   ".join([*cells, *deviations])
