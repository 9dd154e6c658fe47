"""Render the precision part of docs/explanation/scores.md, and its plot, from benchmarks/records/precision.json.

python -m benchmarks precision render           # update the page's part, and its plot
python -m benchmarks precision render --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.pages import add_page_arguments, origin, render, require_record, table
from benchmarks.paths import DOCS
from benchmarks.precision.calibrated import DEFAULT, Measured, evaluate, read_measured
from benchmarks.precision.curves import precision
from benchmarks.precision.pairs import MAX_ERROR_PX, SCALED
from benchmarks.records import Record
from tiepoint.errors import InvalidInput
from tiepoint.matching.precision import SCORES, find_threshold

PAGE = DOCS / "explanation" / "scores.md"
TARGETS = (0.8, 0.9, 0.95)
"""Values of `min_precision` in the table."""

THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Columns of the table of held-out precision."""

SMALL = (1024, 512)
HEADS = (
    "preset",
    "`min_precision`",
    "threshold",
    "held-out precision",
    "95 % interval",
    "with 512 keypoints",
    "correct matches kept",
    "matches per pair of two scenes",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_page_arguments(parser, PAGE)


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    command = "python -m benchmarks precision"
    record = require_record(arguments.records, "precision.json", command)
    groups = read_measured(record)

    def draw(folder: Path) -> None:
        from benchmarks.precision.plot import save_plot  # --check needs no matplotlib

        save_plot([group for group in groups if group.setting == DEFAULT], folder)

    render(arguments, "precision", paragraphs(record, groups), command=f"{command} render", draw=draw)


def paragraphs(record: Record, groups: Sequence[Measured]) -> Iterator[str]:
    """Yield the origin, the choice of scenes, the plot, and both tables."""
    yield origin(record, machine=False)  # nothing depends on the speed of the machine
    yield describe_scenes(record)
    yield "![Precision against score threshold of all presets, with intervals](images/precision.png)"
    default = [group for group in groups if group.setting == DEFAULT]
    small = {group.preset: group for group in groups if group.setting == SMALL}
    rows = [
        row(group, small[group.preset], record["rows"][group.preset], p) for group in default for p in TARGETS
    ]
    yield table(HEADS, rows)
    yield (
        "Held-out precision at other thresholds, without a calibration; – where the held-out scenes have no matches above "
        "the threshold:"
    )
    yield table(("preset", *map(str, THRESHOLDS)), [curve_row(group) for group in default])


def describe_scenes(record: Record) -> str:
    """Return which scenes were fitted and which were held out, and what a correct match is."""
    scenes = record["scenes"]
    names = {
        half: [name for name, other in zip(scenes["name"], scenes["half"], strict=True) if other == half]
        for half in ("fit", "test")
    }
    return (
        f"Fitted scenes: {', '.join(names['fit'])}. Held-out scenes: {', '.join(names['test'])}. "
        f"{sum(scenes['pairs'])} pairs that overlap, and {record['num_negatives']} of two scenes. A match is correct if its "
        f"error is below {MAX_ERROR_PX:g} px in images with a longer side of {SCALED.resize} px."
    )


def row(group: Measured, small: Measured, calibration: Sequence[float], min_precision: float) -> list[str]:
    """Return one row of the first table; a precision that no threshold reaches has no values."""
    head = [group.preset, str(min_precision)]
    try:
        threshold = find_threshold(group.preset, calibration, min_precision)
    except InvalidInput:
        return [*head, f"not reached (at most {max(calibration):.2f})", *(["–"] * 5)]
    index = SCORES.index(threshold)
    tested = evaluate(group, index)
    return [
        *head,
        str(threshold),
        f"**{tested.precision:.2f}**",
        f"{tested.low:.2f} to {tested.high:.2f}",
        f"{evaluate(small, index).precision:.2f}",
        f"{100 * tested.retained:.0f} %",
        f"{tested.two_scenes:.1f}",
    ]


def curve_row(group: Measured) -> list[str]:
    """Return one row of the second table."""
    values = precision(group.held_out)
    cells = [values[SCORES.index(threshold)] for threshold in THRESHOLDS]
    return [group.preset, *("–" if np.isnan(value) else f"{value:.2f}" for value in cells)]
