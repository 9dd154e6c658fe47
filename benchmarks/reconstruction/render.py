"""Render the reconstruction part of docs/results.md from benchmarks/records/reconstruction.json.

python -m benchmarks reconstruction render           # update the page's part about reconstructions
python -m benchmarks reconstruction render --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.pages import add_page_arguments, format_versions, render, require_record, table
from benchmarks.records import Record

HEADS = (
    "images",
    "matches by",
    "keypoints",
    "pairs",
    "registered",
    "points",
    "mean track length",
    "reprojection error, px",
    "position error, mm: mean, maximum",
)
SIFT_FEATURES = 4096
"""COLMAP's max_num_features: what one core can match."""

EXTENT = "the diagonal of the bounding box of the surveyed cameras"

add_arguments = add_page_arguments


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    command = "python -m benchmarks reconstruction"
    record = require_record(arguments.records, "reconstruction.json", command)
    render(arguments, "reconstruction", paragraphs(record), command=f"{command} render")


def paragraphs(record: Record) -> Iterator[str]:
    """Yield the origin, the table, and position errors."""
    about, rows = record["about"], record["rows"]
    yield (
        f"Command: `{about['command']}`, {about['date']}, {about['machine']['processor']}, one thread; "
        f"{format_versions(about['versions'])}. All use the same mapper, and one camera for all images unless stated "
        f"otherwise; SIFT: pycolmap's defaults, except max_num_features = {SIFT_FEATURES}."
    )
    yield table(HEADS, map(table_row, rows))
    yield from position_sentences(rows)
    yield from failure_sentences(rows)


def table_row(row: Record) -> list[str]:
    """Return the row of one scene and method."""
    return [
        row["scene"],
        row["contestant"],
        f"{row['keypoints']:.0f}",
        f"{row['pair_count']}",
        f"{row['registered']} of {row['images']}",
        f"{row.get('points', 0):,}",
        f"{row.get('mean_track_length', 0):.2f}",
        f"{row.get('mean_reprojection_error_px', 0):.2f}",
        position_cell(row),
    ]


def position_cell(row: Record) -> str:
    """Return mean and maximum position error in mm, or a dash without surveyed cameras."""
    if "position_errors_m" not in row:
        return "–"
    errors = 1000 * np.array(row["position_errors_m"])
    return f"{errors.mean():.1f}, {errors.max():.1f}"


def position_sentences(rows: Sequence[Record]) -> Iterator[str]:
    """Yield the maximum position error relative to the extent of the scene."""
    for row in rows:
        if "position_errors_m" in row:
            fraction = max(row["position_errors_m"]) / row["extent_m"]
            yield (
                f"{row['scene']}, {row['contestant']}: the maximum error is {fraction:.3%} of the extent of "
                f"{row['extent_m']:.1f} m ({EXTENT})."
            )


def failure_sentences(rows: Sequence[Record]) -> Iterator[str]:
    """Yield why a model may contain only a few of the images."""
    failed = [f"{row['scene']}, {row['contestant']}" for row in rows if row["registered"] < row["images"] / 2]
    if failed:
        yield (
            f"{'; '.join(failed)}: according to COLMAP's log no pair was suitable for initialization, even after the "
            "thresholds were relaxed."
        )
