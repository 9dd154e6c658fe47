"""Small charts as SVG elements in the colors of the page; without matplotlib."""

import html
from collections.abc import Sequence

import numpy as np

WIDTH, HEIGHT = 720, 200  # px
LEFT, BOTTOM, TOP, RIGHT = 56, 36, 10, 10  # margins in px


def bar_chart(
    values: Sequence[float], *, xlabel: str, ylabel: str, first: int = 0, marks: Sequence[int] = ()
) -> str:
    """Draw one bar per value.

    Args:
        values: Heights of the bars, not negative.
        xlabel: Label of the x axis, and of its ticks: the first and the last number.
        ylabel: Label of the y axis.
        first: Number of the first bar.
        marks: Positions in `values` of bars that are highlighted.

    Returns:
        An SVG element; it is described by its labels and its maximum.
    """
    highest = max([*values, 1])
    step = (WIDTH - LEFT - RIGHT) / max(len(values), 1)
    scale = (HEIGHT - TOP - BOTTOM) / highest
    highlighted = set(marks)
    bars = "".join(
        f'<rect x="{LEFT + number * step:.2f}" y="{HEIGHT - BOTTOM - value * scale:.2f}" '
        f'width="{max(0.85 * step, 0.5):.2f}" height="{value * scale:.2f}" '
        f'class="{"marked" if number in highlighted else "bar"}"/>'
        for number, value in enumerate(values)
    )
    ticks = f"{first:,}", f"{first + max(len(values) - 1, 0):,}"
    return _chart(bars, (xlabel, ylabel), ticks, ("0", f"{highest:,.4g}"), f"maximum {highest:,.4g}")


def scatter_chart(x: Sequence[float], y: Sequence[float], *, xlabel: str, ylabel: str) -> str:
    """Draw one point per pair of values and the diagonal; infinite values are on the upper and right border.

    Args:
        x: x values, not negative.
        y: y values, not negative.
        xlabel: Label of the x axis.
        ylabel: Label of the y axis.
    """
    both = np.array([x, y], np.float64).reshape(2, -1)
    finite = both[np.isfinite(both)]
    highest = float(np.quantile(finite, 0.98)) if len(finite) else 0.0
    highest = highest or 1.0
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    shares = np.minimum(both / highest, 1.0)
    points = "".join(
        f'<circle cx="{LEFT + u * width:.1f}" cy="{TOP + (1 - v) * height:.1f}" r="3" class="bar"/>'
        for u, v in shares.T
    )
    diagonal = f'<line x1="{LEFT}" y1="{HEIGHT - BOTTOM}" x2="{WIDTH - RIGHT}" y2="{TOP}" class="axis"/>'
    ends = ("0", f"≥ {highest:,.4g}")
    return _chart(diagonal + points, (xlabel, ylabel), ends, ends, f"{both.shape[1]:,} points")


def _chart(
    content: str, labels: tuple[str, str], xticks: tuple[str, str], yticks: tuple[str, str], summary: str
) -> str:
    """Add axes, ticks at both ends, labels and a description."""
    xlabel, ylabel = map(html.escape, labels)
    base = HEIGHT - BOTTOM
    texts = [
        (LEFT, base + 15, "start", xticks[0]),
        (WIDTH - RIGHT, base + 15, "end", xticks[1]),
        ((LEFT + WIDTH - RIGHT) / 2, base + 30, "middle", xlabel),
        (LEFT - 6, base, "end", yticks[0]),
        (LEFT - 6, TOP + 10, "end", yticks[1]),
    ]
    parts = [
        f'<text x="{x:.0f}" y="{y}" text-anchor="{anchor}">{text}</text>' for x, y, anchor, text in texts
    ]
    parts.append(
        f'<text x="14" y="{(TOP + base) / 2:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 14 {(TOP + base) / 2:.0f})">{ylabel}</text>'
    )
    axes = f'<path d="M{LEFT} {TOP}V{base}H{WIDTH - RIGHT}" class="axis"/>'
    description = f"{ylabel} by {xlabel}, {summary}"
    # every part is a number or escaped
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" class="chart" role="img" aria-label="{description}">'
        f"{content}{axes}{''.join(parts)}</svg>"
    )
