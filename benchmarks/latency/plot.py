"""Plot of benchmarks/records/latency.json: accuracy against the latency budget."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from benchmarks.latency.render import Cell

DPI = 100


def save_plot(cells: Sequence["Cell"], path: Path) -> Path:
    """Save one line per method, and its accuracy without a budget at its median time; return the path."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, method in enumerate(dict.fromkeys(cell.method for cell in cells)):
        measured = [cell for cell in cells if cell.method == method and cell.accuracy is not None]
        budgets = [cell for cell in measured if cell.budget]
        color = f"C{number}"
        axes.plot(
            [cell.budget for cell in budgets],
            [100 * (cell.accuracy or 0.0) for cell in budgets],
            color=color,
            marker="o",
            label=method,
        )
        for cell in measured:
            if not cell.budget and cell.percentiles is not None:
                low, _, high = cell.percentiles
                accuracy = 100 * (cell.accuracy or 0.0)
                axes.plot([low, high], [accuracy, accuracy], color=color, ls=":", marker="|")
    axes.set(xscale="log", ylim=(0, 100))
    axes.set_xlabel("latency budget, ms (dotted: p50 to p99 without a budget)")
    axes.set_ylabel("accuracy")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    return path
