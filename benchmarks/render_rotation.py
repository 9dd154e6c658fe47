"""Write the part about rotation of docs/results.md, and its plot, from benchmarks/records/rotation.json.

.venv/bin/python benchmarks/render_rotation.py           # rewrite the page's part about rotation, and its plot
.venv/bin/python benchmarks/render_rotation.py --check   # exit 1 if the page isn't what the record says
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from pages import parse, render, table
from render_results import origin

Record = dict[str, Any]


def main() -> None:
    """Replace what stands between the marks."""
    arguments = parse(__doc__)
    record = json.loads((arguments.records / "rotation.json").read_text())

    def draw(folder: Path) -> None:
        from plots_rotation import save_plot  # --check needs no matplotlib

        save_plot(record["measured"], folder / "rotation.png")

    render(arguments, "rotation", sections(record), again="benchmarks/render_rotation.py", draw=draw)


def sections(record: Record) -> Iterator[str]:
    """Everything that stands between the marks, piece by piece."""
    planes, scene = (described(record["settings"][name]) for name in ("planes", "sacre_coeur"))
    yield f"{origin(record)} Preset `aliked+lightglue`, {planes}; for sacre_coeur {scene}."
    yield "![Correct matches against the angle](images/rotation.png)"
    yield table(
        ["pair", "upright", "without: median, least", "`auto`: median, least", "angles with a quarter turn"],
        [angles_row(rows) for rows in by_pair(record["measured"])],
    )
    yield costs(record["costs"])


def described(settings: Record) -> str:
    """What the extractor saw and kept."""
    return f"longer side {settings['resize']} px, {settings['max_keypoints']} keypoints"


def by_pair(measured: Sequence[Record]) -> Iterator[list[Record]]:
    """The rows of one pair after the other."""
    for pair in dict.fromkeys(row["pair"] for row in measured):
        yield [row for row in measured if row["pair"] == pair]


def angles_row(rows: Sequence[Record]) -> list[str]:
    """Correct matches of one pair over all angles."""
    never, auto = ([row[name] for row in rows] for name in ("correct", "correct_auto"))
    return [
        rows[0]["pair"],
        str(never[0]),
        f"{median(never):.0f}, {min(never)}",
        f"{median(auto):.0f}, {min(auto)}",
        f"{sum(row['rotation1'] != 0 for row in rows)} of {len(rows)}",
    ]


def costs(pairs: Sequence[Record]) -> str:
    """What nobody wants to pay for pairs that need nothing."""
    share = sum(pair["seconds_rotate"] for pair in pairs) / sum(pair["seconds"] for pair in pairs)
    shares = sorted(pair["seconds_rotate"] / pair["seconds"] for pair in pairs)
    return (
        f"Of {len(pairs)} pairs of photographs that nobody turned, at the default settings, `auto` turned "
        f"{sum(pair['rotation1'] != 0 for pair in pairs)}. They take {share:.1%} longer, all together; "
        f"{median(shares):.1%} in the median, {shares[-1]:.1%} at most."
    )


if __name__ == "__main__":
    main()
