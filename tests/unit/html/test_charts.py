"""Charts: marks, labels, values that are not finite."""

import math
import re
from xml.etree import ElementTree as ET

import pytest

from tiepoint.html.charts import bar_chart, scatter_chart


def test_bars_are_as_high_as_their_values() -> None:
    chart = bar_chart([1, 2, 4], xlabel="frame", ylabel="tracks", first=2, marks=[1])
    heights = [float(height) for height in re.findall(r'<rect[^>]*height="([\d.]+)"', chart)]
    assert heights[2] == pytest.approx(2 * heights[1], abs=0.02)
    assert chart.count('class="marked"') == 1
    assert [node.text for node in ET.fromstring(str(chart)).iter() if node.text] == [
        "2",
        "4",
        "frame",
        "0",
        "4",
        "tracks",
    ]


def test_labels_are_escaped() -> None:
    for chart in (
        bar_chart([1], xlabel="<b>", ylabel='"&'),
        scatter_chart([1], [2], xlabel="<b>", ylabel='"&'),
    ):
        assert "<b>" not in chart
        ET.fromstring(chart)


@pytest.mark.parametrize("values", [[], [0, 0], [0.5]])
def test_few_values(values: list[float]) -> None:
    ET.fromstring(bar_chart(values, xlabel="x", ylabel="y"))
    ET.fromstring(scatter_chart(values, values, xlabel="x", ylabel="y"))


def test_infinite_values_are_on_the_border() -> None:
    chart = scatter_chart([1, math.inf, 3], [math.inf, 1, 3], xlabel="x", ylabel="y")
    points = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', chart)
    assert float(points[0][1]) == min(float(y) for _, y in points)
    assert float(points[1][0]) == max(float(x) for x, _ in points)
    assert "nan" not in chart
    assert "inf" not in chart
