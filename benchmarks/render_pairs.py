"""Write the part about choosing pairs of docs/results.md from benchmarks/records/{retrieval,planning}.json.

.venv/bin/python benchmarks/render_pairs.py           # rewrite the page's part about pairs
.venv/bin/python benchmarks/render_pairs.py --check   # exit 1 if the page isn't what the records say
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pages import parse, render, table

Record = dict[str, Any]


def main() -> None:
    """Replace what stands between the marks."""
    arguments = parse(__doc__)
    render(arguments, "pairs", sections(arguments.records), again="benchmarks/render_pairs.py")


def sections(records: Path) -> Iterator[str]:
    """Everything that stands between the marks."""
    for name, describe in (("retrieval.json", retrieval), ("planning.json", planning)):
        if (records / name).exists():
            yield from describe(json.loads((records / name).read_text()))


def retrieval(record: Record) -> Iterator[str]:
    """Recall of every set at every number of neighbors."""
    rows, settings = record["rows"], record["settings"]
    counts = list(dict.fromkeys(row["neighbors"] for row in rows))
    found = {(row["set"], row["neighbors"]): row for row in rows}
    everything = record["photographs"] * (record["photographs"] - 1) // 2
    yield (
        f"{origin(record)} Longer side {settings['resize']} px, {settings['max_keypoints']} keypoints. The "
        f"{record['photographs']} photographs are one collection of {everything:,} pairs. Each cell: the share of the "
        "true pairs that are chosen when each photograph is paired with so many that look like it. Where there is no "
        f"ground truth, true pairs are those with {settings['min_inliers']} matches within "
        f"{settings['max_error_px']:g} px of a fundamental matrix."
    )
    header = ["set", "true pairs", "truth", *(f"retrieval:{count}" for count in counts)]
    yield table(
        header, (recall_row(found, name, counts) for name in dict.fromkeys(row["set"] for row in rows))
    )
    first = rows[0]["set"]
    chosen = ", ".join(f"{found[first, count]['chosen']:,} pairs with {count} neighbors" for count in counts)
    seconds = ", ".join(f"{found[first, count]['seconds']:.1f}" for count in counts)
    yield f"Chosen are {chosen}, in {seconds} s beside the extraction."


def recall_row(found: dict[tuple[str, int], Record], name: str, counts: list[int]) -> list[str]:
    """One set: recall in per cent."""
    rows = [found[name, count] for count in counts]
    recalls = (f"{100 * row['found'] / row['true_pairs']:.1f}" for row in rows)
    return [name, str(rows[0]["true_pairs"]), rows[0]["source"], *recalls]


def planning(record: Record) -> Iterator[str]:
    """Memory and time of plans."""
    yield (
        f"{origin(record)} The plan of a collection that doesn't exist, half of it done, each in a process of its own. Its "
        "memory holds Python, torch and the library too: that is the memory at the start."
    )
    header = [
        "pairs by",
        "photographs",
        "pairs",
        "planned",
        "units",
        "at the start, MiB",
        "peak, MiB",
        "time, s",
    ]
    yield table(header, (plan_row(case) for case in record["cases"]))


def plan_row(case: Record) -> list[str]:
    """One choice."""
    whole = (f"{case[name]:,}" for name in ("photographs", "pairs", "planned", "match_units"))
    return [case["choice"], *whole, *(f"{case[name]:.0f}" for name in ("start_mib", "peak_mib", "seconds"))]


def origin(record: Record) -> str:
    """Command, day, machine."""
    about = record["about"]
    machine = about["machine"]
    return f"`{about['command']}`, {about['date']}, {machine['processor']}, threads: {machine['threads']}."


if __name__ == "__main__":
    main()
