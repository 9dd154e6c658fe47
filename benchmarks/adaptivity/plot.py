"""Plot of benchmarks/records/adaptivity.json: confidence and keypoints after each layer."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.records import Record
from tiepoint.models.lightglue.inference import AdaptiveInference

DPI = 110
COLORS = {"easy": "#0b5cad", "hard": "#b5452c", "different scenes": "#55595e"}
MARKERS = {"easy": "o", "hard": "s", "different scenes": "^"}


def save_plot(pairs: Record, path: Path) -> Path:
    """Save both panels; return the path."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    confident, keypoints = figure.subplots(1, 2, sharex=True)
    for name, pair in pairs.items():
        draw(confident, name, pair, "confident")
        draw(keypoints, name, pair, "keypoints")
    stop = AdaptiveInference().depth_confidence
    confident.axhline(stop, color="black", ls=":", lw=1)
    confident.annotate(f"above {stop:.0%}: stop", (1, stop), (0, 4), textcoords="offset points", fontsize=8)
    confident.set(title="confident keypoints", xlabel="after layer", ylim=(0, 1.06))
    keypoints.set(title="keypoints that were not pruned", xlabel="after layer", ylim=(0, None))
    for axes in (confident, keypoints):
        axes.grid(alpha=0.3)
    figure.legend(*confident.get_legend_handles_labels(), loc="outside lower center", ncols=len(pairs))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    return path


def draw(axes: Axes, name: str, pair: Record, column: str) -> None:
    """Draw one curve; layers that do not run because the pair has stopped are dashed."""
    rows = [row for row in pair["layers"] if "confident" in row]
    layers, values = [row["layer"] for row in rows], [row[column] for row in rows]
    run = min(pair["layers_run"], len(rows))
    style = {"color": COLORS[name], "marker": MARKERS[name], "ms": 4}
    axes.plot(layers[:run], values[:run], label=name, **style)
    axes.plot(layers[run - 1 :], values[run - 1 :], ls="--", alpha=0.5, **style)
