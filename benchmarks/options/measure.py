"""Measure what the options of EXPERIMENTS change in accuracy, on the image pairs of ../shared/data.

    python -m benchmarks options                   # half an hour on one thread with an empty store
    python -m benchmarks options --only adaptive   # this experiment only; the rest of the record is kept
    python -m benchmarks options --preset aliked   # this preset only
    python -m benchmarks options --quick           # a smoke test
    python -m benchmarks options timing            # time the variants of the record, side by side

The score of a pair is in [0, 1]; its mean over pairs is the metric of the accuracy benchmark: AUC of the corner error
at 5 px, AUC of the pose error at 10 degrees, mean average accuracy of annotated points from 1 to 20 px. Pairs with
disparity maps have no such score and are left out. Features and matches are kept in --store.
`python -m benchmarks options render` updates docs/results.md.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.options.experiments import EXPERIMENTS, Experiment
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
from tiepoint.evaluation.evaluate import evaluate, subsample
from tiepoint.evaluation.ground_truth import Dataset
from tiepoint.evaluation.predictors import PresetPredictor
from tiepoint.evaluation.report import PairResult
from tiepoint.io.versions import installed_versions

RECORD = "options.json"
MAX_CORNER_ERROR_PX = 5
MAX_POSE_ERROR_DEG = 10
NUM_DIGITS = 5

SCORES = {
    "homography": lambda values: max(0.0, 1 - values["corner_error_px"] / MAX_CORNER_ERROR_PX),
    "pose": lambda values: max(0.0, 1 - values["pose_error_deg"] / MAX_POSE_ERROR_DEG),
    "points": lambda values: values["marked_maa"],
}
"""Type of ground truth -> score of a pair in [0, 1]."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=DATA, help="Folder with pairs.jsonl.")
    parser.add_argument(
        "--store", type=Path, default=BUILD / "options", help="Folder of features and matches."
    )
    parser.add_argument("--only", default="", help="Measure only experiments whose name contains this text.")
    parser.add_argument("--preset", default="", help="Measure only presets whose name contains this text.")
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Measure the chosen experiments and presets, and write the record after each."""
    for name in (name for name in EXPERIMENTS if arguments.only in name):
        experiment = EXPERIMENTS[name]
        datasets = list(experiment.datasets(arguments.data))
        if arguments.quick:
            datasets = [subsample(dataset, 1) for dataset in datasets[:2]]
        for preset in chosen_presets(experiment, arguments):
            measured = measure(experiment, preset, datasets, arguments.store / name)
            record = read_record(arguments.records, RECORD) or {}
            known = record.get(name, {})
            merged = known | measured | {"presets": known.get("presets", {}) | measured["presets"]}
            write_column_record(arguments.records, RECORD, record | {name: merged})


def chosen_presets(experiment: Experiment, arguments: argparse.Namespace) -> list[str]:
    """Return the presets to measure."""
    presets = [preset for preset in experiment.presets if arguments.preset in preset]
    return presets[:1] if arguments.quick else presets


def measure(experiment: Experiment, preset: str, datasets: Sequence[Dataset], store: Path) -> Record:
    """Return pairs, and scores and numbers of matches by variant."""
    rows = {
        variant: list(evaluate_variant(experiment, preset, variant, datasets, store))
        for variant in experiment.values
    }
    first = next(iter(rows.values()))
    return {
        "about": {"command": command_line(), "date": today(), "versions": installed_versions()},
        "option": {"name": experiment.option, "values": dict(experiment.values)},
        "protocol": asdict(experiment.prediction(None)),
        "pairs": {"name": [row.pair for row in first], "truth": [row.truth for row in first]},
        "presets": {preset: {variant: columns(chosen) for variant, chosen in rows.items()}},
    }


def evaluate_variant(
    experiment: Experiment, preset: str, variant: str, datasets: Sequence[Dataset], store: Path
) -> Iterator[PairResult]:
    """Yield the results of the pairs that have a score."""
    protocol = experiment.protocol(experiment.values[variant])
    for dataset in datasets:
        folder = store / preset / variant.replace(" ", "-") / dataset.name
        report = evaluate(dataset, partial(PresetPredictor, preset), protocol, store=folder)
        log(f"{preset}, {variant}: {dataset.name}, {len(report.rows)} pairs")
        yield from (row for row in report.rows if row.truth in SCORES)


def columns(rows: Sequence[PairResult]) -> dict[str, list[Any]]:
    """Return scores and numbers of matches."""
    return {
        "score": [float(f"{SCORES[row.truth](row.values):.{NUM_DIGITS}g}") for row in rows],
        "matches": [int(row.values["num_matches"]) for row in rows],
    }


def log(line: str) -> None:
    """Print a line on stderr."""
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)
