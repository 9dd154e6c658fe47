"""The precision part of docs/explanation/scores.md is that of its record."""

import pytest
from benchmarks.pages import replace_part
from benchmarks.precision.calibrated import read_measured
from benchmarks.precision.render import PAGE, TARGETS, paragraphs, row
from benchmarks.records import read_record
from tests.helpers.paths import RECORDS

from tiepoint.matching.precision import CALIBRATIONS


def test_the_page_is_up_to_date() -> None:
    record = read_record(RECORDS, "precision.json")
    assert record is not None
    page = PAGE.read_text()
    assert replace_part(page, "precision", paragraphs(record, read_measured(record))) == page
    assert page.count("| 0.95 |") >= len(CALIBRATIONS)


@pytest.mark.parametrize("min_precision", TARGETS)
def test_a_precision_that_is_not_reached_has_no_values(min_precision: float) -> None:
    record = read_record(RECORDS, "precision.json")
    assert record is not None
    group = read_measured(record)[0]
    cells = row(group, group, [0.1, 0.2], min_precision)
    assert cells[2] == "not reached (at most 0.20)"
    assert set(cells[3:]) == {"–"}
    assert len(cells) == len(row(group, group, [1.0], min_precision))
