"""Render the rotation part of docs/results.md, and its plot, from benchmarks/records/rotation.json.

python -m benchmarks rotation render           # update the page's part about rotation, and its plot
python -m benchmarks rotation render --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from benchmarks.pages import add_page_arguments, origin, render, require_record, table
from benchmarks.records import Record

HEADS = [
    "pair",
    "upright",
    "without: median, minimum",
    "`auto`: median, minimum",
    "angles with a 90° rotation",
]

add_arguments = add_page_arguments


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    command = "python -m benchmarks rotation"
    record = require_record(arguments.records, "rotation.json", command)

    def draw(folder: Path) -> None:
        from benchmarks.rotation.plot import save_plot  # --check needs no matplotlib

        save_plot(record["measured"], folder / "rotation.png")

    render(arguments, "rotation", paragraphs(record), command=f"{command} render", draw=draw)


def paragraphs(record: Record) -> Iterator[str]:
    """Yield the content of the part."""
    planes, scene = (describe_settings(record["settings"][name]) for name in ("planes", "sacre_coeur"))
    yield f"{origin(record)} Preset `aliked+lightglue`, {planes}; for sacre_coeur {scene}."
    yield "![Correct matches against the angle](images/rotation.png)"
    yield table(HEADS, [pair_row(rows) for rows in by_pair(record["measured"])])
    yield describe_costs(record["costs"])


def describe_settings(settings: Record) -> str:
    """Return image size and number of keypoints."""
    return f"longer side {settings['resize']} px, {settings['max_keypoints']} keypoints"


def by_pair(measured: Sequence[Record]) -> Iterator[list[Record]]:
    """Yield the rows of each pair."""
    for pair in dict.fromkeys(row["pair"] for row in measured):
        yield [row for row in measured if row["pair"] == pair]


def pair_row(rows: Sequence[Record]) -> list[str]:
    """Return the correct matches of one pair over all angles."""
    without, auto = ([row[name] for row in rows] for name in ("correct", "correct_auto"))
    return [
        rows[0]["pair"],
        str(without[0]),
        f"{median(without):.0f}, {min(without)}",
        f"{median(auto):.0f}, {min(auto)}",
        f"{sum(row['rotation1'] != 0 for row in rows)} of {len(rows)}",
    ]


def describe_costs(pairs: Sequence[Record]) -> str:
    """Return the cost of the rotation search for upright pairs."""
    total = sum(pair["seconds_rotate"] for pair in pairs) / sum(pair["seconds"] for pair in pairs)
    relative = sorted(pair["seconds_rotate"] / pair["seconds"] for pair in pairs)
    return (
        f"Of {len(pairs)} upright pairs, at the default settings, `auto` rotated "
        f"{sum(pair['rotation1'] != 0 for pair in pairs)}. They take {total:.1%} longer in total; "
        f"{median(relative):.1%} in the median, {relative[-1]:.1%} at most."
    )
