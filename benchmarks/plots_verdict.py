"""Pictures of benchmarks/records/verdict.json: what was said against what is so, and the ROC."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from verdict_fit import reliability, roc
from verdict_said import Said

COLORS = {
    "aliked+lightglue": "#0b5cad",
    "aliked+nearest": "#d99a1b",
    "disk+lightglue": "#4f8f5b",
    "aliked-t16+nearest": "#b5452c",
}
STYLES = ("-", "--")
"""Of the large and of the small number of keypoints."""

EDGES = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0)
"""Of the bins of probabilities."""

MOST_FALSE = 0.3
"""Where the axis of the ROC ends: what lies beyond is of no use."""

LEAST_FOUND = 0.8
"""Where its other axis begins."""

DPI = 100


def save_plots(groups: Sequence[Said], folder: Path) -> Path:
    """Draw both panels; gives the file."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for group in groups:
        draw_reliability(left, group)
        draw_roc(right, group)
    left.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, zorder=0)
    left.set(xlabel="probability that was said", ylabel="share that shows the same place")
    right.set(
        xlabel="different places taken for the same", ylabel="same places found", xlim=(-0.01, MOST_FALSE)
    )
    right.set_ylim(LEAST_FOUND, 1.01)
    for axis in (left.xaxis, left.yaxis, right.xaxis, right.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize="small")
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "verdict.png", dpi=DPI, metadata={"Software": None})
    return folder / "verdict.png"


def draw_reliability(axes: Axes, group: Said) -> None:
    """One dot a bin, larger where it holds more pairs."""
    bins = list(reliability(group.said, group.same, EDGES))
    said, share = [b.said for b in bins], [b.share for b in bins]
    axes.plot(said, share, style_of(group), color=COLORS.get(group.preset), linewidth=1)
    axes.scatter(said, share, s=[10 + 2 * b.count for b in bins], color=COLORS.get(group.preset), alpha=0.6)


def draw_roc(axes: Axes, group: Said) -> None:
    """With a cross at the threshold."""
    false, true = roc(group.said, group.same)
    color = COLORS.get(group.preset)
    axes.plot(
        false,
        true,
        style_of(group),
        color=color,
        drawstyle="steps-post",
        label=f"{group.preset}, {group.keypoints} keypoints",
    )
    axes.plot(*shares_at(group), "x", color=color)


def shares_at(group: Said) -> tuple[float, float]:
    """Shares of the different and of the same that are taken for the same."""
    return share_of(group.yes, ~group.same), share_of(group.yes, group.same)


def share_of(yes: Bool[np.ndarray, "n"], chosen: Bool[np.ndarray, "n"]) -> float:
    """Of the chosen; 0 where there are none."""
    return float(yes[chosen].mean()) if chosen.any() else 0.0


def style_of(group: Said) -> str:
    """Dashed for the small number of keypoints."""
    return STYLES[group.keypoints < 1000]
