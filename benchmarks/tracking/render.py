"""Render the tracking table of docs/how-to/track-points.md from benchmarks/records/tracking.json.

python -m benchmarks tracking render           # update the page's part about tracking
python -m benchmarks tracking render --check   # exit with status 1 if the page is out of date
"""

import argparse

from benchmarks.pages import add_page_arguments, render, require_record
from benchmarks.paths import DOCS
from benchmarks.records import Record

PAGE = DOCS / "how-to" / "track-points.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_page_arguments(parser, PAGE)


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    command = "python -m benchmarks tracking"
    record = require_record(arguments.records, "tracking.json", command)
    render(arguments, "tracking", paragraphs(record), command=f"{command} render")


def paragraphs(record: Record) -> list[str]:
    """Return the table, and how it was measured."""
    gaps = list(record["pairs"])
    num_pairs = ", ".join(f"{record['pairs'][gap]} pairs {gap} s apart" for gap in gaps)
    about = record["about"]
    return [
        tracks_table(record, gaps),
        f"{record['frames']} frames, at most {record['keypoints']} points per frame; lengths in frames. Inliers are within "
        f"{record['max_error_px']:g} px of the epipolar geometry of an independent match (DISK and LightGlue; {num_pairs}). "
        f"Command: `{about['command']}`, {about['date']}.",
    ]


def tracks_table(record: Record, gaps: list[str]) -> str:
    """Return a table with one row per method."""
    heads = [
        *("", "tracks", "mean length", "median", "maximum"),
        *(f"points in frames {gap} s apart" for gap in gaps),
        *(f"inliers, {gap} s" for gap in gaps),
    ]
    rows = [
        [
            *(row["name"], str(row["tracks"])),
            *(f"{row['mean_length']:.1f}", f"{row['median_length']:g}", str(row["longest"])),
            *(f"{row['gaps'][gap]['points']:.0f}" for gap in gaps),
            *(f"{100 * row['gaps'][gap]['share']:.1f} %" for gap in gaps),
        ]
        for row in record["rows"]
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows))
