"""The table of OpenCV's normalization: failures count as infinite errors, differences are to the first row."""

from typing import Any

import pytest
from benchmarks.options.normalization import LONGER_SIDE, PER_AXIS, RECORD
from benchmarks.options.render_normalization import HEADS, paragraphs, row
from benchmarks.records import read_record
from tests.helpers.paths import RECORDS

PAIRS = {"set": ["a"] * 4, "pair": list("wxyz"), "kind": ["pose"] * 4}


def record(first: list[float | None], second: list[float | None]) -> dict[str, Any]:
    return {"pairs": PAIRS, "methods": {LONGER_SIDE: {"value": first}, PER_AXIS: {"value": second}}}


def test_cells() -> None:
    measured = record([0.0, 0.0, 0.0, 0.0], [0.0, 0.0, None, None])
    assert row(measured, LONGER_SIDE) == [LONGER_SIDE, "100.0", "–", "100.0", "–", ""]
    name, summary, homographies, poses, points, difference = row(measured, PER_AXIS)
    assert (name, summary, homographies, poses, points) == (PER_AXIS, "50.0", "–", "50.0", "–")
    assert difference.startswith("-50.0 (-100.0 to")


@pytest.mark.parametrize("name", [LONGER_SIDE, PER_AXIS])
def test_the_record_has_both_on_the_same_pairs(name: str) -> None:
    measured = read_record(RECORDS, RECORD)
    assert measured is not None
    assert len(measured["methods"][name]["value"]) == len(measured["pairs"]["pair"]) >= 20
    _, table = paragraphs(measured)
    assert table.startswith(f"| {HEADS[0]} |")
