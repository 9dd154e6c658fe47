"""Plots of benchmarks/records/accuracy.json: accuracy against seconds per pair, correct matches against viewpoint."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import mean, median

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from benchmarks.accuracy.record import Reports, pool
from tiepoint.evaluation.report import PairResult, Report

COLORS = {
    "aliked+lightglue": "#0b5cad",
    "aliked+lightglue-small": "#7fb2e5",
    "aliked-n16rot+lightglue": "#3f8fd2",
    "aliked-n32+lightglue": "#08306b",
    "disk+lightglue": "#4f8f5b",
    "aliked+nearest": "#d99a1b",
    "aliked-t16+nearest": "#e3c567",
    "reference aliked+lightglue": "#b5452c",
    "reference disk+lightglue": "#d98a78",
    "SIFT + ratio test": "#7a7a7a",
    "ORB": "#b5b5b5",
}
VIEWPOINT_METHODS = ("aliked+lightglue", "disk+lightglue", "aliked+nearest", "SIFT + ratio test", "ORB")
PANELS = (
    ("pose", "pose_auc_10deg", "pose AUC@10°, %"),
    ("homography", "corner_auc_5px", "corner AUC@5 px, %"),
)
STAGES = ("seconds_extract", "seconds_match", "seconds_estimate")
SECONDS_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10)
BIN_WIDTH_DEG = 10
LAST_BIN_DEG = 60
DPI = 100


def save_plots(reports: Reports, folder: Path) -> list[Path]:
    """Save both plots; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "accuracy_seconds.png": plot_accuracy(reports),
        "matches_viewpoint.png": plot_viewpoint(reports),
    }
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=DPI, metadata={"Software": None})
    return [folder / name for name in figures]


def plot_accuracy(reports: Reports) -> Figure:
    """Plot one point per method: median seconds per pair, and the AUC with its confidence interval."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    for axes, (truth, key, label) in zip(figure.subplots(1, 2), PANELS, strict=True):
        for method in methods_of(reports):
            report = pool((r for (name, _), r in reports.items() if name == method), truth)
            if report is not None:
                draw_point(axes, method, report, key)
        axes.set_xscale("log")
        axes.set_xticks(SECONDS_TICKS, [f"{seconds:g}" for seconds in SECONDS_TICKS])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="median seconds per pair: extract both, match, estimate", ylabel=label)
        axes.grid(alpha=0.3)
    add_legend(figure)
    return figure


def draw_point(axes: Axes, method: str, report: Report, key: str) -> None:
    """Draw a point with an error bar for the 95 % confidence interval."""
    metric = report.metrics(samples=1000)[key]
    seconds = median(sum(row.values.get(stage, 0.0) for stage in STAGES) for row in report.rows)
    bar = [[100 * (metric.value - metric.low)], [100 * (metric.high - metric.value)]]
    marker = "s" if method.startswith("reference") else "o"
    axes.errorbar(
        [seconds],
        [100 * metric.value],
        yerr=bar,
        color=COLORS.get(method),
        fmt=marker,
        capsize=3,
        label=method,
    )


def plot_viewpoint(reports: Reports) -> Figure:
    """Plot correct matches against the image index of Oxford affine (left) and the angle between cameras (right)."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for method in (name for name in VIEWPOINT_METHODS if name in methods_of(reports)):
        oxford = reports.get((method, "oxford_affine"))
        posed = pool((r for (name, _), r in reports.items() if name == method), "pose")
        draw_line(left, method, [] if oxford is None else oxford.rows, image_index, "precision_3px")
        draw_line(right, method, [] if posed is None else posed.rows, angle_bin, "epipolar_precision")
    left.set_xticks(range(2, 7))
    left.set(xlabel="image of the scene (Oxford affine, 8 scenes; 2: small change, 6: large change)")
    right.set(xlabel=f"degrees between the cameras (last point: {LAST_BIN_DEG} and more)")
    for axes in (left, right):
        axes.set(ylabel="mean number of correct matches")
        axes.set_yscale("symlog", linthresh=10)
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    add_legend(figure)
    return figure


def draw_line(
    axes: Axes,
    method: str,
    rows: Iterable[PairResult],
    position: Callable[[PairResult], float],
    precision: str,
) -> None:
    """Draw the mean of matches times precision at each position."""
    groups: dict[float, list[float]] = {}
    for row in rows:
        groups.setdefault(position(row), []).append(row.values["num_matches"] * row.values[precision])
    positions = sorted(groups)
    means = [mean(groups[each]) for each in positions]
    axes.plot(positions, means, color=COLORS.get(method), marker="o", label=method)


def add_legend(figure: Figure) -> None:
    """Add one legend below both panels."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize="small")


def image_index(row: PairResult) -> float:
    """Return the index of image 1: 6 for "graf/img1-img6"."""
    return float(re.findall(r"\d+", row.pair)[-1])


def angle_bin(row: PairResult) -> float:
    """Return the center of the bin of `rot_deg`; the last bin is open."""
    return (min(float(row.tags["rot_deg"]), LAST_BIN_DEG) // BIN_WIDTH_DEG + 0.5) * BIN_WIDTH_DEG


def methods_of(reports: Reports) -> list[str]:
    """Return the methods in the order of the record."""
    return list(dict.fromkeys(method for method, _ in reports))
