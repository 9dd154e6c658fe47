"""Render the latency part of docs/results.md, and its plot, from benchmarks/records/latency.json.

python -m benchmarks latency render           # update the page's part about latency budgets, and its plot
python -m benchmarks latency render --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pages import add_page_arguments, origin, render, table
from benchmarks.records import Record, read_record

COMMAND = "python -m benchmarks latency"
HEADS = [
    "method",
    "budget, ms",
    "pairs",
    "p50",
    "p95",
    "p99",
    "p99 / budget",
    "p95: easy, hard, different",
    "accuracy",
    "keypoints",
    "layers",
]
KINDS = ("easy", "hard", "different")
MAX_EASY_LAYERS = 4
NO_BUDGET = 0
CLASSIFIER = "aliked+lightglue"

add_arguments = add_page_arguments


@dataclass(frozen=True)
class Cell:
    """One method within one budget.

    Attributes:
        method: Name of the method.
        budget: Budget in ms; `NO_BUDGET` without one.
        possible: Fraction of the pairs for whose images the budget is not too small.
        percentiles: p50, p95 and p99 of the times of these pairs in ms, each the largest of the runs; None without one.
        by_kind: p95 of easy, hard and different-scene pairs over all runs in ms; None without such pairs.
        accuracy: Mean accuracy of the pairs with ground truth, over all runs, in [0, 1]; None unless all pairs are
            possible.
        keypoints: Median of the number of keypoints used per image.
        layers: Mean number of layers run.
    """

    method: str
    budget: int
    possible: float = 0.0
    percentiles: tuple[float, float, float] | None = None
    by_kind: tuple[float | None, ...] = (None, None, None)
    accuracy: float | None = None
    keypoints: float = 0.0
    layers: float = 0.0


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    record = read_record(arguments.records, "latency.json")

    def draw(folder: Path) -> None:
        from benchmarks.latency.plot import save_plot  # --check needs no matplotlib

        if record is not None:
            save_plot(cells(record), folder / "latency.png")

    render(arguments, "latency", paragraphs(record), command=f"{COMMAND} render", draw=draw)


def paragraphs(record: Record | None) -> Iterator[str]:
    """Yield the content of the part."""
    if record is None:
        yield f"Not measured yet: `{COMMAND}` and twice `{COMMAND} --append` on an idle machine, then `{COMMAND} render`."
        return
    found = cells(record)
    yield f"{origin(record)} {describe_pairs(record)}"
    yield "![Accuracy against the latency budget](images/latency.png)"
    yield table(HEADS, [row_of(cell) for cell in found])
    yield describe_bound(found)


def cells(record: Record) -> list[Cell]:
    """Return all methods within all budgets."""
    methods = dict.fromkeys(name for run in record["runs"] for name in run["rows"]["method"])
    return [cell_of(record, name, budget) for name in methods for budget in (*record["budgets"], NO_BUDGET)]


def cell_of(record: Record, method: str, budget: int) -> Cell:
    """Summarize one method within one budget over all runs."""
    runs = [rows_of(run, method, budget) for run in record["runs"]]
    count = sum(map(len, runs))
    runs = [[row for row in run if row["ms"] is not None] for run in runs]
    rows = [row for run in runs for row in run]
    if not rows:
        return Cell(method, budget)
    times = [np.percentile([row["ms"] for row in run], (50, 95, 99)) for run in runs if run]
    p50, p95, p99 = np.max(times, axis=0).tolist()
    kinds = kinds_of(record)
    accuracies = [row["accuracy"] for row in rows if row["accuracy"] is not None]
    return Cell(
        method,
        budget,
        len(rows) / count,
        (p50, p95, p99),
        by_kind=tuple(p95_of([row for row in rows if kinds[row["pair"]] == kind]) for kind in KINDS),
        accuracy=float(np.mean(accuracies)) if len(rows) == count else None,
        keypoints=float(np.median([row["keypoints"] for row in rows])),
        layers=float(np.mean([row["layers"] for row in rows])),
    )


def p95_of(rows: list[dict[str, Any]]) -> float | None:
    """Return the 95th percentile of the times in ms; None without rows."""
    return float(np.percentile([row["ms"] for row in rows], 95)) if rows else None


def kinds_of(record: Record) -> list[str]:
    """Return "easy", "hard" or "different" for each pair; "" for pairs that `CLASSIFIER` did not match."""
    layers = {row["pair"]: row["layers"] for row in rows_of(record["runs"][0], CLASSIFIER, NO_BUDGET)}

    def kind(index: int, name: str) -> str:
        if name.startswith("different: "):
            return "different"
        if index not in layers:
            return ""
        return "easy" if layers[index] <= MAX_EASY_LAYERS else "hard"

    return [kind(index, name) for index, name in enumerate(record["pairs"])]


def rows_of(run: Record, method: str, budget: int) -> list[dict[str, Any]]:
    """Return the rows of one method and budget in one run."""
    columns = run["rows"]
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [row for row in rows if row["method"] == method and row["budget"] == budget]


def row_of(cell: Cell) -> list[str]:
    """Return the cells of a row of the table; dashes if the budget is too small."""
    name = [cell.method, "none" if cell.budget == NO_BUDGET else str(cell.budget)]
    if cell.percentiles is None:
        return [*name, *["-"] * (len(HEADS) - len(name))]
    ratio = "" if cell.budget == NO_BUDGET else f"{cell.percentiles[2] / cell.budget:.2f}"
    layers = f"{cell.layers:.1f}" if cell.layers else "-"
    by_kind = ", ".join("-" if value is None else f"{value:.0f}" for value in cell.by_kind)
    values = [*(f"{value:.0f}" for value in cell.percentiles), ratio, by_kind]
    accuracy = "-" if cell.accuracy is None else f"{100 * cell.accuracy:.1f}"
    return [*name, f"{cell.possible:.0%}", *values, accuracy, f"{cell.keypoints:.0f}", layers]


def describe_pairs(record: Record) -> str:
    """Return the number of pairs of each kind, and how busy the machine was."""
    kinds = kinds_of(record)
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in KINDS)
    waiting = max(run["waiting"] for run in record["runs"])
    return (
        f"{len(kinds)} pairs: {counts} (easy: at most {MAX_EASY_LAYERS} layers of `{CLASSIFIER}` without a budget; "
        f"different: images of different scenes). The process waited for a core {waiting:.1%} of the time."
    )


def describe_bound(found: list[Cell]) -> str:
    """Return how many budgets are kept."""
    possible = [cell for cell in found if cell.percentiles is not None and cell.budget != NO_BUDGET]
    kept = [cell for cell in possible if (cell.percentiles or (0, 0, 0))[2] <= 1.1 * cell.budget]
    return (
        f"In {len(kept)} of {len(possible)} cells, the 99th percentile is at most 1.1 times the budget, in the slowest "
        "run. Times are those of the pairs for whose images the budget is not too small; without any, or for accuracy "
        "without all, there are dashes."
    )
