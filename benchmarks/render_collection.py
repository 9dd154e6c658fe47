"""Write the part about a whole collection of docs/results.md from benchmarks/records/collection.json.

.venv/bin/python benchmarks/render_collection.py           # rewrite that part
.venv/bin/python benchmarks/render_collection.py --check   # exit 1 if the page isn't what the record says
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from render_results import origin, table

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- collection: begin -->", "<!-- collection: end -->"

Record = dict[str, Any]


def main() -> None:
    """Replace what stands between the marks."""
    arguments = parse()
    record = json.loads((arguments.records / "collection.json").read_text())
    page = arguments.page.read_text() if arguments.page.exists() else f"{BEGIN}\n{END}\n"
    before, rest = page.split(BEGIN)
    text = "\n\n".join(sections(record))
    rendered = f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}"
    if arguments.check:
        sys.exit(
            None if rendered == page else f"{arguments.page.name} isn't what the record says; render it again"
        )
    arguments.page.write_text(rendered)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "--records", type=Path, default=ROOT / "benchmarks" / "records", help="folder of collection.json"
    )
    made.add_argument("--page", type=Path, default=ROOT / "docs" / "results.md", help="the page to rewrite")
    made.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is old")
    return made.parse_args()


def sections(record: Record) -> Iterator[str]:
    """Everything that stands between the marks, piece by piece."""
    setting, first = record["setting"], record["rows"][0]
    yield (
        f"{origin(record)} The first {setting['count']} photographs of {record['set']}, all {first['pairs']} pairs, "
        f"cores: {setting['cores']}, each program in a fresh process; longer side {setting['resize']} px, "
        f"{setting['max_keypoints']} keypoints an image, but COLMAP as it comes. Seconds hold reading, extracting and "
        "matching, not loading the networks; tiepoint and COLMAP also verify and write to disk, the loop does neither."
    )
    yield table(
        [
            "program",
            "pairs/s",
            "tiepoint is faster by",
            "extract",
            "match",
            "verify",
            "matches",
            "verified",
            "memory",
        ],
        [row(one, first) for one in record["rows"]],
    )


def row(one: Record, first: Record) -> list[str]:
    """One program."""
    stages = [f"{one['seconds'][stage]:.1f} s" if stage in one["seconds"] else "" for stage in STAGES]
    verified = one["verified_matches"]
    return [
        one["program"],
        f"{rate(one):.2f}",
        "" if one is first else f"x {rate(first) / rate(one):.2f}",
        *stages,
        f"{one['matches']:,}",
        "" if verified is None else f"{verified:,}",
        f"{one['peak_mib'] / 1024:.1f} GiB",
    ]


def rate(one: Record) -> float:
    """Pairs a second, all stages counted."""
    return one["pairs"] / sum(one["seconds"].values())


STAGES = ("extract", "match", "verify")


if __name__ == "__main__":
    main()
