"""Plot of benchmarks/records/rotation.json: correct matches against the angle of image 1, with and without a search."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLUMNS = 3
DPI = 100
SEARCH_COLOR, WITHOUT_COLOR = "#0b5cad", "#b5452c"


def save_plot(measured: Sequence[dict[str, Any]], path: Path) -> Path:
    """Save one panel per pair; return the path."""
    measured = [row for row in measured if row["rotated"] == "1"]
    pairs = list(dict.fromkeys(row["pair"] for row in measured))
    num_rows = -(-len(pairs) // COLUMNS)
    figure = Figure(figsize=(11, 2.8 * num_rows), layout="constrained")
    panels = figure.subplots(num_rows, COLUMNS, squeeze=False, sharex=True).ravel()
    for axes, pair in zip(panels, pairs, strict=False):
        draw_pair(axes, pair, [row for row in measured if row["pair"] == pair])
    for axes in panels[len(pairs) :]:
        axes.remove()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    return path


def draw_pair(axes: Axes, pair: str, rows: Sequence[dict[str, Any]]) -> None:
    """Draw both curves of one pair."""
    angles = [row["angle_deg"] for row in rows]
    axes.plot(
        angles,
        [row["correct_search"] for row in rows],
        color=SEARCH_COLOR,
        marker="o",
        ms=4,
        label="search over views",
    )
    axes.plot(
        angles, [row["correct"] for row in rows], color=WITHOUT_COLOR, marker="o", ms=3, label="without"
    )
    axes.set(title=pair, xticks=range(0, 361, 90), ylim=(0, None))
    axes.set_xlabel("rotation of image 1, degrees")
    axes.set_ylabel("correct matches")
    axes.grid(alpha=0.3)
