"""Plots of benchmarks/records/verification.json: reliability diagram and ROC curves."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from benchmarks.verification.fit import reliability, roc
from benchmarks.verification.predictions import Predictions

COLORS = {
    "aliked+lightglue": "#0b5cad",
    "aliked+nearest": "#d99a1b",
    "xfeat+lighterglue": "#7a4fa3",
    "xfeat+nearest": "#6b6b6b",
    "disk+lightglue": "#4f8f5b",
    "aliked-t16+nearest": "#b5452c",
}
LINE_STYLES = ("-", "--")
"""Line styles of the large and the small number of keypoints."""

MIN_KEYPOINTS_OF_LARGE_BUDGET = 1000

BIN_EDGES = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0)
"""Edges of the bins of predicted probabilities."""

MAX_FALSE_POSITIVE_RATE = 0.3
MIN_TRUE_POSITIVE_RATE = 0.8
"""Limits of the axes of the ROC plot: the useful part."""

DPI = 100


def save_plots(groups: Sequence[Predictions], folder: Path) -> Path:
    """Save both panels as one file; return its path."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for group in groups:
        draw_reliability(left, group)
        draw_roc(right, group)
    left.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, zorder=0)
    left.set(xlabel="predicted probability", ylabel="fraction of pairs of the same scene")
    right.set(
        xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.01, MAX_FALSE_POSITIVE_RATE)
    )
    right.set_ylim(MIN_TRUE_POSITIVE_RATE, 1.01)
    for axis in (left.xaxis, left.yaxis, right.xaxis, right.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize="small")
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "verification.png", dpi=DPI, metadata={"Software": None})
    return folder / "verification.png"


def draw_reliability(axes: Axes, group: Predictions) -> None:
    """Draw one dot per bin, whose area grows with the number of pairs."""
    bins = list(reliability(group.probabilities, group.labels, BIN_EDGES))
    predicted, observed = [b.predicted for b in bins], [b.observed for b in bins]
    color = COLORS.get(group.preset)
    axes.plot(predicted, observed, line_style(group), color=color, linewidth=1)
    axes.scatter(predicted, observed, s=[10 + 2 * b.count for b in bins], color=color, alpha=0.6)


def draw_roc(axes: Axes, group: Predictions) -> None:
    """Draw the ROC curve, with a cross at the decision threshold."""
    false, true = roc(group.probabilities, group.labels)
    color = COLORS.get(group.preset)
    label = f"{group.preset}, {group.keypoints} keypoints"
    axes.plot(false, true, line_style(group), color=color, drawstyle="steps-post", label=label)
    axes.plot(*rates_at_threshold(group), "x", color=color)


def rates_at_threshold(group: Predictions) -> tuple[float, float]:
    """Return the false and the true positive rate at the decision threshold; 0 without pairs of a label."""
    rates = (
        float(group.positive[chosen].mean()) if chosen.any() else 0.0
        for chosen in (~group.labels, group.labels)
    )
    return next(rates), next(rates)


def line_style(group: Predictions) -> str:
    """Return a dashed line for the small number of keypoints."""
    return LINE_STYLES[group.keypoints < MIN_KEYPOINTS_OF_LARGE_BUDGET]
