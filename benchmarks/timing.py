"""Timing two programs side by side: what all benchmarks share.

Runs alternate (ours, theirs, ours, …), because these machines are noisy; the table shows medians, their ratio, and
the range of the ratio between quartiles.
"""

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import torch
from rich.console import Console
from rich.progress import track

RECORDS = Path(__file__).resolve().parent / "records"

Work = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """One row of the table: the same work, done by us and by the reference."""

    name: str
    ours: Work
    reference: Work


@dataclass(frozen=True)
class Timing:
    """Seconds of every run; `ratio` = reference / ours, of the medians."""

    name: str
    ours: list[float]
    reference: list[float]
    ratio: float
    ratio_quartiles: tuple[float, float]


def parser(description: str | None, record: str) -> argparse.ArgumentParser:
    """The command line that every benchmark has."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--runs", type=int, default=5, help="timed runs of each side (after one that warms up)")
    made.add_argument("--only", default="", help="cases whose name holds this text")
    made.add_argument("--json", type=Path, default=RECORDS / record, help="where the record goes")
    return made


def run(cases: Iterable[Case], arguments: argparse.Namespace, packages: Sequence[str]) -> None:
    """Time the chosen cases, write the record, print the table."""
    chosen = [case for case in cases if arguments.only in case.name]
    timings = [time_case(case, arguments.runs) for case in track(chosen, console=Console(stderr=True))]
    record = {"about": about(arguments.runs, packages), "timings": [asdict(timing) for timing in timings]}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(record, indent=1) + "\n")
    print_table(timings)


def time_case(case: Case, runs: int) -> Timing:
    """Alternate both sides `runs` times after one warm-up of each."""
    case.ours(), case.reference()
    times = [(seconds(case.ours), seconds(case.reference)) for _ in range(runs)]
    ours, reference = (list(side) for side in zip(*times, strict=True))
    ratios = [theirs / our for our, theirs in times]
    low, _, high = statistics.quantiles(ratios, n=4) if runs > 1 else (ratios[0],) * 3
    ratio = statistics.median(reference) / statistics.median(ours)
    return Timing(case.name, ours, reference, ratio, (low, high))


def seconds(work: Work) -> float:
    """How long this takes."""
    start = perf_counter()
    work()
    return perf_counter() - start


def about(runs: int, packages: Sequence[str]) -> dict[str, object]:
    """What the figures depend on."""
    return {
        "command": "python " + " ".join([f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "date": datetime.now(UTC).date().isoformat(),
        "runs": runs,
        "processor": platform.machine() + ", " + torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("tiepoint", "torch", *packages)},
    }


def print_table(timings: list[Timing]) -> None:
    """Medians, ratio and its quartiles."""
    for timing in timings:
        ours, reference = statistics.median(timing.ours), statistics.median(timing.reference)
        low, high = timing.ratio_quartiles
        print(
            f"{timing.name:60} {ours:7.3f} s  {reference:7.3f} s  x {timing.ratio:.2f}  ({low:.2f} to {high:.2f})"
        )
