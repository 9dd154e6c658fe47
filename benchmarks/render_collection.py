"""Write the part about a whole collection of docs/results.md, from benchmarks/records/collection{,_memory}.json.

.venv/bin/python benchmarks/render_collection.py           # rewrite that part
.venv/bin/python benchmarks/render_collection.py --check   # exit 1 if the page isn't what the record says
"""

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

from pages import parse, render, table
from render_results import origin

Record = dict[str, Any]


def main() -> None:
    """Replace what stands between the marks."""
    arguments = parse(__doc__)
    speed, memory = (
        json.loads((arguments.records / f"collection{name}.json").read_text()) for name in ("", "_memory")
    )
    pieces = chain(speed_sections(speed), memory_sections(memory))
    render(arguments, "collection", pieces, again="benchmarks/render_collection.py")


def memory_sections(record: Record) -> Iterator[str]:
    """Memory against the number of pairs."""
    setting = record["setting"]
    yield (
        f"{origin(record)} More and more pairs of the same 82 photographs, from reading to verified matches in the store, "
        f"each number in a fresh process; longer side {setting['resize']} px, {setting['max_keypoints']} keypoints."
    )
    yield table(
        ["pairs", "matches", "peak, MiB", "held at the end, MiB"],
        [
            [f"{one[key]:,.0f}" for key in ("pairs", "matches", "peak_mib", "held_mib")]
            for one in record["rows"]
        ],
    )


def speed_sections(record: Record) -> Iterator[str]:
    """Pairs a second beside other programs."""
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
