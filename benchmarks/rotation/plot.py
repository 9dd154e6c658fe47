"""Plots of correct matches against the angle of image 1, one panel per pair, one curve per way of matching."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLUMNS = 3
DPI = 100
COLORS = ("#0b5cad", "#b5452c", "#e0a028")

Curve = Sequence[tuple[int, int]]
"""Angles in degrees, and the correct matches at each."""


def save_plot(pairs: Mapping[str, Mapping[str, Curve]], path: Path) -> Path:
    """Save one panel per pair; return the path.

    Args:
        pairs: Pair -> label -> curve; labels are the same in all panels.
        path: File to write.
    """
    num_rows = -(-len(pairs) // COLUMNS)
    figure = Figure(figsize=(11, 2.8 * num_rows), layout="constrained")
    panels = figure.subplots(num_rows, COLUMNS, squeeze=False, sharex=True).ravel()
    for axes, (pair, curves) in zip(panels, pairs.items(), strict=False):
        draw_pair(axes, pair, curves)
    for axes in panels[len(pairs) :]:
        axes.remove()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(COLORS))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    return path


def draw_pair(axes: Axes, pair: str, curves: Mapping[str, Curve]) -> None:
    """Draw the curves of one pair."""
    for color, (label, curve) in zip(COLORS, curves.items(), strict=False):
        angles, correct = zip(*curve, strict=True)
        axes.plot(angles, correct, color=color, marker="o", ms=3, label=label)
    axes.set(title=pair, xticks=range(0, 361, 90), ylim=(0, None))
    axes.set_xlabel("rotation of image 1, degrees")
    axes.set_ylabel("correct matches")
    axes.grid(alpha=0.3)
