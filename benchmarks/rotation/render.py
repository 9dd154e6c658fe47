"""Render the rotation parts of docs/results.md, and their plots, from benchmarks/records/rotation{,_presets}.json.

python -m benchmarks rotation render           # update the page's parts about rotation, and their plots
python -m benchmarks rotation render --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeAlias

from benchmarks.pages import add_page_arguments, origin, render, require_record, table
from benchmarks.records import Record

HEADS = [
    "pair",
    "rotated",
    "best without",
    "without: median, minimum",
    "search: median, minimum",
    "at right angles: minimum",
    "views rotated",
]
PRESET_HEADS = ["pair", "preset", "upright", "right angles: median", "all angles: median", "minimum"]
ROTATED = {"1": "image 1", "0": "image 0", "both": "both"}

Curves: TypeAlias = dict[str, dict[str, list[tuple[int, int]]]]
"""Pair -> label -> (angle in degrees, correct matches)."""

add_arguments = add_page_arguments


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    command = "python -m benchmarks rotation"
    record = require_record(arguments.records, "rotation.json", command)
    presets = require_record(arguments.records, "rotation_presets.json", f"{command} presets")

    parts = {
        "rotation": (paragraphs(record), search_curves(record["measured"])),
        "rotation-presets": (preset_paragraphs(presets), preset_curves(presets["measured"])),
    }
    for name, (content, curves) in parts.items():
        draw = partial(draw_curves, curves, f"{name}.png")
        render(arguments, name, content, command=f"{command} render", draw=draw)


def draw_curves(curves: Curves, name: str, folder: Path) -> None:
    """Save a plot of the curves."""
    from benchmarks.rotation.plot import save_plot  # --check needs no matplotlib

    save_plot(curves, folder / name)


def search_curves(measured: Sequence[Record]) -> Curves:
    """Return the curves of each pair with and without a search."""
    rows = [row for row in measured if row["rotated"] == "1"]
    columns = {"search over views": "correct_search", "without": "correct"}
    return curves_of(
        (row["pair"], label, row["angle_deg"], row[column])
        for row in rows
        for label, column in columns.items()
    )


def preset_curves(measured: Sequence[Record]) -> Curves:
    """Return the curve of each pair and preset."""
    return curves_of((row["pair"], row["preset"], row["angle_deg"], row["correct"]) for row in measured)


def curves_of(points: Iterable[tuple[str, str, int, int]]) -> Curves:
    """Group points by pair and label.

    Args:
        points: Pair, label, angle in degrees and correct matches of each point.
    """
    curves: Curves = {}
    for pair, label, angle_deg, correct in points:
        curves.setdefault(pair, {}).setdefault(label, []).append((angle_deg, correct))
    return curves


def preset_paragraphs(record: Record) -> Iterator[str]:
    """Yield the content of the part about presets."""
    yield origin(record)
    yield "![Correct matches of presets against the angle](images/rotation-presets.png)"
    yield table(PRESET_HEADS, list(preset_rows(record["measured"])))


def preset_rows(measured: Sequence[Record]) -> Iterator[list[str]]:
    """Yield one row per pair and preset: correct matches upright, and at the other angles."""
    for pair, curves in preset_curves(measured).items():
        for preset, curve in curves.items():
            upright, others = curve[0][1], [correct for angle, correct in curve if angle]
            right = [correct for angle, correct in curve if angle and angle % 90 == 0]
            lowest = f"{min(others)} ({100 * min(others) / max(1, upright):.0f}%)"
            yield [pair, preset, str(upright), f"{median(right):.0f}", f"{median(others):.0f}", lowest]


def paragraphs(record: Record) -> Iterator[str]:
    """Yield the content of the part."""
    planes, scene = (describe_settings(record["settings"][name]) for name in ("planes", "sacre_coeur"))
    yield f"{origin(record)} Preset `aliked+lightglue`, {planes}; for sacre_coeur {scene}."
    yield "![Correct matches against the angle](images/rotation.png)"
    yield table(HEADS, [pair_row(rows) for rows in by_case(record["measured"])])
    yield describe_costs(record["costs"])


def describe_settings(settings: Record) -> str:
    """Return image size and number of keypoints."""
    return f"longer side {settings['resize']} px, {settings['max_keypoints']} keypoints"


def by_case(measured: Sequence[Record]) -> Iterator[list[Record]]:
    """Yield the rows of each pair and rotated image."""
    for pair, rotated in dict.fromkeys((row["pair"], row["rotated"]) for row in measured):
        yield [row for row in measured if (row["pair"], row["rotated"]) == (pair, rotated)]


def pair_row(rows: Sequence[Record]) -> list[str]:
    """Return the correct matches of one pair over all angles, with percentages of the most without a search."""
    without, search = ([row[name] for row in rows] for name in ("correct", "correct_search"))
    right_angles = [row["correct_search"] for row in rows if row["angle_deg"] % 90 == 0]
    aligned = max(without)

    def percent(value: int) -> str:
        return f"{value} ({100 * value / max(1, aligned):.0f}%)"

    return [
        rows[0]["pair"],
        ROTATED[rows[0]["rotated"]],
        str(aligned),
        f"{median(without):.0f}, {min(without)}",
        f"{median(search):.0f}, {percent(min(search))}",
        percent(min(right_angles)),
        f"{sum(row['rotation0'] != 0 or row['rotation1'] != 0 for row in rows)} of {len(rows)}",
    ]


def describe_costs(pairs: Sequence[Record]) -> str:
    """Return the cost of the search for upright pairs."""
    total = sum(pair["seconds_views"] for pair in pairs) / sum(pair["seconds"] for pair in pairs)
    relative = sorted(pair["seconds_views"] / pair["seconds"] for pair in pairs)
    return (
        f"Of {len(pairs)} upright pairs, at the default settings, the search rotated "
        f"{sum(pair['rotation0'] != 0 or pair['rotation1'] != 0 for pair in pairs)}. They take {total:.1%} longer in total; "
        f"{median(relative):.1%} in the median, {relative[-1]:.1%} at most."
    )
