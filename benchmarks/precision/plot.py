"""Plot of benchmarks/records/precision.json: precision against score threshold, of fitted and of held-out scenes."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from benchmarks.precision.calibrated import Measured
from benchmarks.precision.curves import interval, precision
from tiepoint.matching.precision import SCORES
from tiepoint.presets import PRESETS

PANELS = {
    "lightglue": "LightGlue: score is a probability",
    "nearest": "nearest neighbors: score is a cosine similarity",
}
DPI = 100


def save_plot(groups: Sequence[Measured], folder: Path) -> Path:
    """Save one panel per type of matcher as one file; return its path."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    for axes, (matcher, title) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
        for group in groups:
            if PRESETS[group.preset].matcher == matcher:
                draw_curves(axes, group)
        axes.set(
            title=title, xlabel="score threshold", ylabel="precision of the matches above it", ylim=(0, 1.01)
        )
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", loc="lower right" if matcher == "lightglue" else "upper left")
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "precision.png", dpi=DPI, metadata={"Software": None})
    return folder / "precision.png"


def draw_curves(axes: Axes, group: Measured) -> None:
    """Draw the held-out curve with its interval, and the fitted curve as dashes."""
    (line,) = axes.plot(SCORES, precision(group.held_out), label=group.preset)
    axes.fill_between(SCORES, *interval(group.held_out), color=line.get_color(), alpha=0.12, linewidth=0)
    axes.plot(SCORES, precision(group.fitted), "--", color=line.get_color(), linewidth=0.9)
