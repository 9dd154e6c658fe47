"""Render the options part of docs/results.md from benchmarks/records/options.json.

python -m benchmarks options render           # update the page's part about options
python -m benchmarks options render --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterator
from statistics import median

import numpy as np

from benchmarks.options.experiments import EXPERIMENTS
from benchmarks.options.measure import RECORD
from benchmarks.pages import add_page_arguments, origin, render, require_record, table
from benchmarks.records import Record
from tiepoint.evaluation.bootstrap import Interval, paired_bootstrap

TRUTHS = {"homography": "homography", "pose": "pose", "points": "points"}
"""Type of ground truth -> head of its column."""

INTRODUCTIONS = {
    "upscaling": "Upscaling: pairs whose images are both smaller than 1,024 px, enlarged to this size or not.",
    "adaptive": "Adaptive inference of LighterGlue; its authors prune keypoints (width) but never stop early (depth).",
}
HEADS = ("preset", "variant", *TRUTHS.values(), "all pairs", "difference, 95 % interval")
TIME_HEADS = ("preset", "variant", "extraction, ms", "matching, ms", "speed-up")

add_arguments = add_page_arguments


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    command = "python -m benchmarks options"
    record = require_record(arguments.records, RECORD, command)
    render(arguments, "options", paragraphs(record), command=f"{command} render")


def paragraphs(record: Record) -> Iterator[str]:
    """Yield the content of the part."""
    for name in (name for name in EXPERIMENTS if name in record):
        yield from describe(INTRODUCTIONS[name], record[name])


def describe(introduction: str, measured: Record) -> Iterator[str]:
    """Yield introduction, origin and tables of one experiment."""
    counts = [f"{measured['pairs']['truth'].count(truth)} {head}" for truth, head in TRUTHS.items()]
    yield (
        f"{introduction} Mean score of {len(measured['pairs']['name'])} pairs by ground truth ({', '.join(counts)}), in %: "
        "AUC of the corner error at 5 px, AUC of the pose error at 10 degrees, mAA of annotated points from 1 to 20 px. "
        f"Differences to the first variant in points, with paired bootstrap intervals. {origin(measured, machine=False)}"
    )
    yield table(HEADS, accuracy_rows(measured))
    if "seconds" in measured:
        yield (
            "Time of a pair, medians over pairs, side by side; the speed-up is the median ratio of extraction and matching. "
            + "; ".join(f"{preset}: {describe_timing(row)}" for preset, row in measured["timing"].items())
            + "."
        )
        yield table(TIME_HEADS, time_rows(measured["seconds"]))


def describe_timing(timing: Record) -> str:
    """Return command, date, machine and numbers of runs and pairs."""
    about, machine = timing["about"], timing["about"]["machine"]
    return (
        f"`{about['command']}`, {about['date']}, {machine['processor']}, threads: {machine['threads']}, runs: "
        f"{timing['runs']}, pairs: {timing['pairs']}"
    )


def accuracy_rows(measured: Record) -> Iterator[list[str]]:
    """Yield one row per preset and variant."""
    truth = np.array(measured["pairs"]["truth"])
    for preset, variants in measured["presets"].items():
        scores = {variant: np.array(columns["score"]) for variant, columns in variants.items()}
        reference = next(iter(scores.values()))
        for variant, values in scores.items():
            means = [f"{100 * values[truth == kind].mean():.1f}" for kind in TRUTHS]
            difference = "" if values is reference else format_interval(paired_bootstrap(reference, values))
            yield [preset, variant, *means, f"{100 * values.mean():.1f}", difference]


def format_interval(interval: Interval) -> str:
    """Return a difference and its interval in points."""
    value, low, high = (100 * bound for bound in (interval.value, interval.low, interval.high))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def time_rows(seconds: Record) -> Iterator[list[str]]:
    """Yield one row per preset and variant."""
    for preset, variants in seconds.items():
        totals = {
            name: [sum(pair) for pair in zip(*columns.values(), strict=True)]
            for name, columns in variants.items()
        }
        reference = next(iter(totals.values()))
        for name, columns in variants.items():
            times = [f"{1000 * median(columns[stage]):.0f}" for stage in ("extract", "match")]
            ratio = median(first / own for first, own in zip(reference, totals[name], strict=True))
            yield [preset, name, *times, f"{ratio:.2f} ×"]
