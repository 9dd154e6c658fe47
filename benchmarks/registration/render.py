"""Render the table of docs/how-to/register-images.md from benchmarks/records/registration.json.

python -m benchmarks registration render           # update the page's part
python -m benchmarks registration render --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np

from benchmarks.pages import add_page_arguments, origin, render, require_record, table
from benchmarks.paths import DOCS
from benchmarks.records import Record
from benchmarks.registration.measure import RECORD

PAGE = DOCS / "how-to" / "register-images.md"
THRESHOLDS = (1, 3, 5)
WRONG_PX = 20
HEADS = (
    "preset",
    "--model",
    "refused",
    "median error",
    *(f"within {limit} px" for limit in THRESHOLDS),
    f"above {WRONG_PX} px",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_page_arguments(parser, PAGE)


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    command = "python -m benchmarks registration"
    record = require_record(arguments.records, RECORD, command)
    render(arguments, "registration", paragraphs(record), command=f"{command} render")


def paragraphs(record: Record) -> Iterator[str]:
    """Yield what was measured, and the table."""
    sets = sorted({PurePosixPath(name).parts[0] for name in record["pairs"]})
    yield (
        f"{len(record['pairs'])} public pairs with a ground-truth homography ({', '.join(sets)}), with rotation search; "
        "the error is the root mean square over points that both images show, in px of the fixed image. Percentages are "
        f"of all pairs, refused ones included. {origin(record, runs=False)}"
    )
    rows = [
        row(preset, model, columns["error_px"])
        for preset, models in record["presets"].items()
        for model, columns in models.items()
    ]
    yield table(HEADS, rows)


def row(preset: str, model: str, errors: Sequence[float | None]) -> list[str]:
    """Return the cells of a preset and a choice of the model."""
    known = np.array([error for error in errors if error is not None])
    median = f"{np.median(known):.2f} px" if len(known) else "–"
    shares = [f"{100 * (known <= limit).sum() / len(errors):.0f} %" for limit in THRESHOLDS]
    return [preset, model, str(len(errors) - len(known)), median, *shares, str((known > WRONG_PX).sum())]
