"""Plot of the summary against the time of a pair."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.records import Record
from benchmarks.summary.metrics import interval
from benchmarks.summary.render import ordered, times_of, values_of

MS_TICKS = (20, 50, 100, 200, 500, 1000, 2000, 5000)
DPI = 100


def save_plot(record: Record, timing: Record, folder: Path) -> Path:
    """Save the plot as summary_ms.png; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "summary_ms.png"
    plot(record, timing).savefig(path, dpi=DPI, metadata={"Software": None})
    return path


def plot(record: Record, timing: Record) -> Figure:
    """Plot one point per method: median time, and the summary with its 95 % interval."""
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    for name in (name for name in ordered(record, timing) if times_of(timing, name)):
        summary = interval(values_of(record, name))
        milliseconds = float(np.median(times_of(timing, name)))
        is_ours = "+" in name and not name.startswith("SIFT")
        bar = [[summary.value - summary.low], [summary.high - summary.value]]
        axes.errorbar(
            [milliseconds],
            [summary.value],
            yerr=bar,
            fmt="o" if is_ours else "s",
            color="#0b5cad" if is_ours else "#7a7a7a",
            alpha=0.8,
            capsize=3,
        )
        axes.annotate(name, (milliseconds, summary.value), (5, 5), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.set_xticks(MS_TICKS, [str(ticks) for ticks in MS_TICKS])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="median ms per pair, from the image files to the matches", ylabel="summary, %")
    axes.grid(alpha=0.3)
    return figure
