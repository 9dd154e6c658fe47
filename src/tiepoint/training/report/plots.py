"""Line plots of training logs as SVG elements, by matplotlib."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tiepoint.io.optional import import_optional

SIZE_INCHES = (8.0, 3.2)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line of a plot: its name, and the same number of x and y values."""

    name: str
    x: np.ndarray
    y: np.ndarray

    @classmethod
    def from_rows(
        cls, name: str, rows: Sequence[Mapping[str, float]], x: str, y: str, *, max_points: int | None = None
    ) -> "Curve":
        """Take two columns of a log.

        Args:
            name: Name of the curve.
            rows: Rows of the log.
            x: Name of the column of x values.
            y: Name of the column of y values.
            max_points: Maximum number of points; consecutive rows are averaged. None keeps all rows.
        """
        values = np.array([(row[x], row[y]) for row in rows], np.float64).reshape(-1, 2)
        count = min(max_points or len(values), len(values))
        groups = np.array_split(values, count) if count else []
        means = np.array([group.mean(0) for group in groups]).reshape(-1, 2)
        return cls(name, means[:, 0], means[:, 1])


def svg_plot(curves: Sequence[Curve], *, xlabel: str) -> str:
    """Plot curves over a common axis.

    Returns:
        An SVG element to embed in HTML; values that are not finite interrupt a line.

    Raises:
        MissingDependency: If matplotlib is not installed.
    """
    check_matplotlib()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    for curve in curves:
        axes.plot(curve.x, curve.y, label=curve.name, linewidth=1.5)
    axes.set_xlabel(xlabel)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    file = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "tiepoint"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return re.sub(r"\A.*?(?=<svg)|<metadata>.*?</metadata>", "", file.getvalue(), flags=re.DOTALL)


def check_matplotlib() -> None:
    """Raise MissingDependency if matplotlib is not installed."""
    import_optional("matplotlib", purpose="the training report", install="tiepoint[train]")
