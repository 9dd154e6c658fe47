"""Render the collection part of docs/results.md from benchmarks/records/{collection,collection_memory}.json.

python -m benchmarks collection render           # update the page's part about collections
python -m benchmarks collection render --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterator
from itertools import chain

from benchmarks.pages import add_page_arguments, origin, render, require_record, table
from benchmarks.records import Record

STAGES = ("extract", "match", "verify")
SPEED_HEADS = [
    "program",
    "pairs/s",
    "tiepoint is faster by",
    "extract",
    "match",
    "verify",
    "matches",
    "verified",
    "memory",
]

add_arguments = add_page_arguments


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    command = "python -m benchmarks collection"
    speed = require_record(arguments.records, "collection.json", command)
    memory = require_record(arguments.records, "collection_memory.json", f"{command} memory")
    paragraphs = chain(speed_paragraphs(speed), memory_paragraphs(memory))
    render(arguments, "collection", paragraphs, command=f"{command} render")


def speed_paragraphs(record: Record) -> Iterator[str]:
    """Yield pairs per second of all programs."""
    setting, first = record["setting"], record["rows"][0]
    yield (
        f"{origin(record)} The first {setting['count']} images of {record['set']}, all {first['pairs']} pairs, "
        f"cores: {setting['cores']}, each program in a new process; longer side {setting['resize']} px, "
        f"{setting['max_keypoints']} keypoints per image; COLMAP with its default options. Times include reading, extraction "
        "and matching, but not loading the networks; tiepoint and COLMAP also verify and write to disk, the loop does neither."
    )
    yield table(SPEED_HEADS, [speed_row(row, first) for row in record["rows"]])


def speed_row(row: Record, first: Record) -> list[str]:
    """Return the row of one program."""
    stages = [f"{row['seconds'][stage]:.1f} s" if stage in row["seconds"] else "" for stage in STAGES]
    verified = row["verified_matches"]
    return [
        row["program"],
        f"{pairs_per_second(row):.2f}",
        "" if row is first else f"x {pairs_per_second(first) / pairs_per_second(row):.2f}",
        *stages,
        f"{row['matches']:,}",
        "" if verified is None else f"{verified:,}",
        f"{row['peak_mib'] / 1024:.1f} GiB",
    ]


def pairs_per_second(row: Record) -> float:
    """Return pairs per second over all stages."""
    return row["pairs"] / sum(row["seconds"].values())


def memory_paragraphs(record: Record) -> Iterator[str]:
    """Yield memory against the number of pairs."""
    setting = record["setting"]
    yield (
        f"{origin(record)} Increasing numbers of pairs of the same 82 images, from reading to verified matches in the store, "
        f"each in a new process; longer side {setting['resize']} px, {setting['max_keypoints']} keypoints."
    )
    columns = ("pairs", "matches", "peak_mib", "held_mib")
    rows = [[f"{row[column]:,.0f}" for column in columns] for row in record["rows"]]
    yield table(["pairs", "matches", "peak, MiB", "held at the end, MiB"], rows)
