"""Render the pair selection part of docs/results.md from benchmarks/records/{retrieval,planning}.json.

python -m benchmarks pairs render           # update the page's part about pair selection
python -m benchmarks pairs render --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pages import add_page_arguments, origin, render, table
from benchmarks.records import Record, read_record

PLAN_HEADS = [
    "pairs by",
    "images",
    "pairs",
    "planned",
    "units",
    "at the start, MiB",
    "peak, MiB",
    "time, s",
]

add_arguments = add_page_arguments


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    render(arguments, "pairs", paragraphs(arguments.records), command="python -m benchmarks pairs render")


def paragraphs(records: Path) -> Iterator[str]:
    """Yield the content of the part."""
    sections = (("retrieval.json", retrieval_paragraphs), ("planning.json", planning_paragraphs))
    for name, section in sections:
        record = read_record(records, name)
        if record is not None:
            yield from section(record)


def retrieval_paragraphs(record: Record) -> Iterator[str]:
    """Yield the recall of each set for each number of neighbors."""
    rows, settings = record["rows"], record["settings"]
    counts = list(dict.fromkeys(row["neighbors"] for row in rows))
    by_key = {(row["set"], row["neighbors"]): row for row in rows}
    num_pairs = record["images"] * (record["images"] - 1) // 2
    yield (
        f"{origin(record, runs=False, versions=False)} Longer side {settings['resize']} px, "
        f"{settings['max_keypoints']} keypoints. The {record['images']} images are one collection of {num_pairs:,} "
        "pairs. Each cell: recall of the true pairs in per cent when each image is paired with its N most similar images. "
        f"Without ground truth, true pairs are those with {settings['min_inliers']} matches within "
        f"{settings['max_error_px']:g} px of a fundamental matrix."
    )
    heads = ["set", "true pairs", "source", *(f"retrieval:{count}" for count in counts)]
    sets = list(dict.fromkeys(row["set"] for row in rows))
    yield table(heads, (recall_row(by_key, name, counts) for name in sets))
    selected = ", ".join(f"{by_key[sets[0], n]['chosen']:,} pairs with {n} neighbors" for n in counts)
    seconds = ", ".join(f"{by_key[sets[0], n]['seconds']:.1f}" for n in counts)
    yield f"Selected: {selected}, in {seconds} s, without the extraction."


def recall_row(by_key: dict[tuple[str, int], Record], name: str, counts: list[int]) -> list[str]:
    """Return the recall of one set in per cent."""
    rows = [by_key[name, count] for count in counts]
    recalls = (f"{100 * row['found'] / row['true_pairs']:.1f}" for row in rows)
    return [name, str(rows[0]["true_pairs"]), rows[0]["source"], *recalls]


def planning_paragraphs(record: Record) -> Iterator[str]:
    """Yield memory and time of planning."""
    yield (
        f"{origin(record, runs=False, versions=False)} The plan of a simulated collection, half of it done, each in a new "
        "process. Memory includes Python, torch and the library: that is the memory at the start."
    )
    yield table(PLAN_HEADS, map(plan_row, record["cases"]))


def plan_row(case: Record) -> list[str]:
    """Return the row of one selection method."""
    counts = (f"{case[name]:,}" for name in ("images", "pairs", "planned", "match_units"))
    return [case["choice"], *counts, *(f"{case[name]:.0f}" for name in ("start_mib", "peak_mib", "seconds"))]
