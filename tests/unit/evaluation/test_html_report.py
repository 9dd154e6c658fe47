"""The page of a comparison: metrics, largest differences, failures."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.shift_dataset import ShiftPredictor, shifted_dataset

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.compare import compare, compare_files
from tiepoint.evaluation.evaluate import evaluate
from tiepoint.evaluation.html_report import MAX_PAIRS, pair_differences, write_comparison_page
from tiepoint.evaluation.protocols import PROTOCOLS
from tiepoint.evaluation.report import METRICS, PairResult, Report

POSE = next(metric for metric in METRICS if metric.value == "pose_error_deg")


def report_of(errors: list[float], name: str = "<b>") -> Report:
    rows = [
        PairResult(
            pair=f"p<{i}>", scene="s", truth="pose", values={"pose_error_deg": error, "num_matches": 9.0}
        )
        for i, error in enumerate(errors)
    ]
    return Report(predictor=name, dataset="d", protocol={"name": "tiepoint"}, rows=rows)


def test_the_largest_difference_is_first() -> None:
    rows = pair_differences(
        POSE, report_of([1, 2, 3, math.inf, math.inf]), report_of([1.5, 9, 3, math.inf, 2])
    )
    assert [row.pair for row in rows] == ["p<4>", "p<1>", "p<0>", "p<2>", "p<3>"]
    assert rows[0].cells() == ["p<4>", "failed", "2", "–"]
    assert rows[1].cells() == ["p<1>", "2", "9", "+7"]


def test_page_has_metrics_and_pairs(tmp_path: Path) -> None:
    count = MAX_PAIRS + 5
    reports = report_of([1.0] * count), report_of([1.0 + i for i in range(count)], "second")
    page = write_comparison_page(compare(*reports, samples=100), *reports, tmp_path / "c.html").read_text()
    assert page.count("<td>p&lt;") == MAX_PAIRS
    assert "pose error AUC@5deg" in page
    assert "<h2>Pair by pair: pose error in degrees</h2>" in page
    assert "No pair differs." in page, "in their number of matches"
    assert "<b>" not in page


def test_pairs_that_differ_have_viewers_or_a_reason(tmp_path: Path) -> None:
    protocol = PROTOCOLS["tiepoint"]
    reports = [
        evaluate(shifted_dataset(tmp_path), lambda _: ShiftPredictor(), protocol, store=store)
        for store in (tmp_path / "store", None)
    ]
    rows = [replace(row, values={**row.values, "num_matches": 7.0}) for row in reports[1].rows]
    reports[1] = replace(reports[1], rows=rows)
    page = write_comparison_page(compare(*reports, samples=100), *reports, tmp_path / "c.html").read_text()
    assert page.count('class="pair"') == 2, "the two pairs of the first report"
    assert page.count("No viewer: second, scene/0-1: matches were not kept") == 1


def test_files_are_compared_and_a_page_is_written(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.json", "b.json")]
    for path in paths:
        report_of([1.0, 2.0, math.inf]).save(path)
    compare_files(*paths, page=tmp_path / "c.html")
    assert (tmp_path / "c.html").read_text().startswith("<!doctype html>")
    with pytest.raises(InvalidInput, match=r"c\.png"):
        compare_files(*paths, page=tmp_path / "c.png")
