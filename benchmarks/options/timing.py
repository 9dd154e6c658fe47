"""Time the variants of benchmarks/records/options.json side by side, on some of their pairs.

    python -m benchmarks options timing --threads 2
    python -m benchmarks options timing --preset aliked --pairs 4

For each pair all variants run in turn, several times; the record has the median of each. Images are read before.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch

import tiepoint
from benchmarks.options.experiments import EXPERIMENTS, Experiment
from benchmarks.options.measure import RECORD, log
from benchmarks.paths import DATA
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
from tiepoint.evaluation.ground_truth import EvaluationPair
from tiepoint.image import read_image
from tiepoint.matcher import Matcher

RUNS = 3
PAIRS = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=DATA, help="Folder with pairs.jsonl.")
    parser.add_argument("--only", default="", help="Time only experiments whose name contains this text.")
    parser.add_argument("--preset", default="", help="Time only presets whose name contains this text.")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="Number of pairs, evenly spaced.")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="Number of CPU threads.")
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Time the chosen experiments and presets, and add the times to the record."""
    torch.set_num_threads(arguments.threads)
    for name in (name for name in EXPERIMENTS if arguments.only in name):
        experiment = EXPERIMENTS[name]
        pairs = chosen_pairs(experiment, arguments.data, 1 if arguments.quick else arguments.pairs)
        for preset in (preset for preset in experiment.presets if arguments.preset in preset):
            times = time_variants(experiment, preset, pairs)
            record = read_record(arguments.records, RECORD) or {}
            known = record.get(name, {})
            seconds = known.get("seconds", {}) | {preset: times}
            about = {"command": command_line(), "date": today(), "machine": asdict(describe_machine())}
            later = known.get("timing", {}) | {preset: {"about": about, "runs": RUNS, "pairs": len(pairs)}}
            known |= {"seconds": seconds, "timing": later}
            write_column_record(arguments.records, RECORD, record | {name: known})


def chosen_pairs(experiment: Experiment, data: Path, count: int) -> list[EvaluationPair]:
    """Return evenly spaced pairs of the experiment."""
    pairs = [pair for dataset in experiment.datasets(data) for pair in dataset.pairs]
    return [pairs[index] for index in np.linspace(0, len(pairs) - 1, count).astype(int)]


def time_variants(experiment: Experiment, preset: str, pairs: list[EvaluationPair]) -> Record:
    """Return the median seconds of extraction (both images) and of matching, by variant and pair."""
    matchers = {name: load(experiment, preset, name) for name in experiment.values}
    seconds: Record = {name: {"extract": [], "match": []} for name in matchers}
    for pair in pairs:
        images = [read_image(path) for path in (pair.image0, pair.image1)]
        runs = [
            {name: time_pair(matcher, images) for name, matcher in matchers.items()} for _ in range(RUNS + 1)
        ][1:]  # the first one warms up
        for name, columns in seconds.items():
            for index, stage in enumerate(columns):
                columns[stage].append(round(median(run[name][index] for run in runs), 4))
        log(f"{preset}: {pair.name}")
    return seconds


def load(experiment: Experiment, preset: str, variant: str) -> Matcher:
    """Load a preset with one value of the option."""
    return tiepoint.load(preset, **{experiment.option: experiment.values[variant]})


def time_pair(matcher: Matcher, images: list[tiepoint.Image]) -> tuple[float, float]:
    """Return the seconds of extraction and of matching."""
    start = perf_counter()
    features = [matcher.extract(image) for image in images]
    extracted = perf_counter()
    matcher.match_features([(features[0], features[1])])
    return extracted - start, perf_counter() - extracted
