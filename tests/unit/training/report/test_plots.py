"""Curves of logs as SVG."""

import math
import sys

import numpy as np
import pytest

from tiepoint.errors import MissingDependency
from tiepoint.training.report.plots import Curve, svg_plot


def test_curve_from_two_columns_of_a_log() -> None:
    rows = [{"pairs": float(i), "total": 2.0 * i} for i in range(6)]
    assert Curve.from_rows("loss", rows, "pairs", "total").y.tolist() == [0, 2, 4, 6, 8, 10]
    assert Curve.from_rows("loss", rows, "pairs", "total", max_points=3).x.tolist() == [0.5, 2.5, 4.5]
    assert len(Curve.from_rows("loss", [], "pairs", "total").x) == 0


def test_plot_is_an_svg_element_with_escaped_names() -> None:
    svg = svg_plot([Curve("a & b", np.array([0.0, 10.0]), np.array([1.0, 3.0]))], xlabel="pairs")
    assert svg.startswith("<svg")
    assert svg.rstrip().endswith("</svg>")
    assert "a &amp; b" in svg
    assert ">pairs<" in svg


def test_nan_interrupts_a_line() -> None:
    curve = Curve("a", np.array([0.0, 1, 2, 3]), np.array([1.0, math.nan, 1.0, 2.0]))
    assert "nan" not in svg_plot([curve], xlabel="x")


def test_plot_is_deterministic() -> None:
    curve = Curve("a", np.arange(5.0), np.arange(5.0))
    assert svg_plot([curve], xlabel="x") == svg_plot([curve], xlabel="x")


def test_missing_matplotlib_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependency, match=r"tiepoint\[train\]"):
        svg_plot([], xlabel="x")
