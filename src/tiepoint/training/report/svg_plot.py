"""Line charts as SVG, without a library: what a report needs of them."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT, MARGIN = 720, 280, 48
COLORS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df")


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line: its name, and as many x as y."""

    name: str
    x: np.ndarray
    y: np.ndarray

    @classmethod
    def of(
        cls, name: str, rows: Sequence[Mapping[str, float]], x: str, y: str, *, points: int | None = None
    ) -> "Curve":
        """Two columns of a log; with `points`, means of neighboring rows, so that there are at most so many."""
        values = np.array([(row[x], row[y]) for row in rows], np.float64).reshape(-1, 2)
        groups = np.array_split(values, min(points or len(values), len(values))) if len(values) else []
        means = np.array([group.mean(0) for group in groups]).reshape(-1, 2)
        return cls(name, means[:, 0], means[:, 1])


def chart(curves: Sequence[Curve]) -> str:
    """An SVG element with all curves in one frame; the smallest and the largest values stand at the axes."""
    xs, ys = (np.concatenate([getattr(curve, axis) for curve in curves]) for axis in "xy")
    ys = ys[np.isfinite(ys)]
    (left, right), (low, high) = _range(xs), _range(ys)
    lines = [
        _line(curve, color, (left, right), (low, high)) for curve, color in zip(curves, COLORS, strict=False)
    ]
    labels = [
        _text(MARGIN, HEIGHT - 12, f"{left:,.0f}"),
        _text(WIDTH - MARGIN, HEIGHT - 12, f"{right:,.0f}", "end"),
        _text(MARGIN - 6, HEIGHT - MARGIN, f"{low:.3g}", "end"),
        _text(MARGIN - 6, MARGIN, f"{high:.3g}", "end"),
        *(
            _text(MARGIN + 130 * number, 20, curve.name, color=color)
            for number, (curve, color) in enumerate(zip(curves, COLORS, strict=False))
        ),
    ]
    frame = f'<path d="M{MARGIN} {MARGIN}V{HEIGHT - MARGIN}H{WIDTH - MARGIN}" fill="none" stroke="#888"/>'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{frame}{"".join(lines)}{"".join(labels)}</svg>'


def _range(values: np.ndarray) -> tuple[float, float]:
    if len(values) == 0:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _line(curve: Curve, color: str, x_range: tuple[float, float], y_range: tuple[float, float]) -> str:
    known = np.isfinite(curve.y)
    x = MARGIN + (curve.x[known] - x_range[0]) / (x_range[1] - x_range[0]) * (WIDTH - 2 * MARGIN)
    y = HEIGHT - MARGIN - (curve.y[known] - y_range[0]) / (y_range[1] - y_range[0]) * (HEIGHT - 2 * MARGIN)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", color: str = "#444") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="13" text-anchor="{anchor}" fill="{color}">{html.escape(text)}</text>'
