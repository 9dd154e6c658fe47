"""Significance of differences between two reports of the same protocol."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.compare import Difference, compare, compare_files
from tiepoint.evaluation.report import PairResult, Report


def report_of(errors: Any, *, name: str = "x", protocol: dict | None = None, start: int = 0) -> Report:
    rows = [
        PairResult(
            pair=f"p{start + i}",
            scene="s",
            truth="pose",
            values={"pose_error_deg": float(error), "num_matches": 100.0, "seconds_match": 2.0},
        )
        for i, error in enumerate(errors)
    ]
    return Report(
        predictor=name, dataset="d", protocol=protocol or {"name": "tiepoint", "runs": 3}, rows=rows
    )


def difference(report0: Report, report1: Report, key: str = "pose_auc_10deg") -> Difference:
    found = compare(report0, report1, samples=2000)
    return next(row for row in found.differences if row.metric.key == key)


def noise(seed: int, count: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).exponential(4, count)


def test_identical_reports_do_not_differ():
    row = difference(report_of(noise(0)), report_of(noise(0)))
    assert (row.interval.value, row.interval.low, row.interval.high) == (0, 0, 0)
    assert not row.is_significant
    assert row.conclusion == "not significant"


def test_an_improvement_on_every_pair_is_significant():
    errors = noise(0)
    row = difference(report_of(errors + 3), report_of(errors))
    assert row.is_significant
    assert row.value1 > row.value0
    assert row.conclusion == "the second is better"
    assert difference(report_of(errors), report_of(errors + 3)).conclusion == "the first is better"


def test_noise_is_not_significant():
    errors = noise(0)
    jitter = np.random.default_rng(5).normal(0, 0.3, len(errors))
    assert not difference(report_of(errors), report_of(np.abs(errors + jitter))).is_significant


def test_pairing_detects_differences_within_overlapping_intervals():
    """0.5 degrees better on every pair: the intervals overlap, but that of the difference excludes zero."""
    errors = noise(0)
    worse, better = report_of(errors + 0.5), report_of(errors)
    intervals = [report.metrics()["pose_auc_10deg"] for report in (worse, better)]
    assert intervals[0].high > intervals[1].low
    assert difference(worse, better).is_significant


def test_failures_are_included():
    errors = noise(0)
    failing = np.where(np.arange(len(errors)) % 2, errors, math.inf)
    assert difference(report_of(failing), report_of(errors)).conclusion == "the second is better"


def test_shorter_times_are_better():
    slow, fast = (report_of(noise(0)) for _ in range(2))
    rows = [
        replace(row, values={**row.values, "seconds_match": 1.0 + 0.01 * i, "num_matches": 200.0 + i})
        for i, row in enumerate(fast.rows)
    ]
    fast = replace(fast, rows=rows)
    assert difference(slow, fast, "seconds_match").conclusion == "the second is better"
    assert difference(slow, fast, "num_matches").conclusion == "more"
    assert difference(fast, slow, "num_matches").conclusion == "fewer"


@pytest.mark.parametrize(("count", "conclusion"), [(5, "too few pairs"), (6, "the second is better")])
def test_too_few_pairs_are_not_significant(count: int, conclusion: str):
    errors = noise(0, count)
    assert difference(report_of(errors + 5), report_of(errors)).conclusion == conclusion


def test_only_common_pairs_are_compared():
    errors = noise(0)
    found = compare(report_of(errors), report_of(errors[10:], start=10), samples=100)
    assert (found.pairs, found.excluded) == (50, 10)
    assert all(row.value0 == row.value1 for row in found.differences)


def test_other_protocols_and_data_sets_are_refused():
    report = report_of(noise(0))
    with pytest.raises(InvalidInput, match=r"protocols.*runs 3, not 1"):
        compare(report, report_of(noise(0), protocol={"name": "tiepoint", "runs": 1}))
    with pytest.raises(InvalidInput, match=r"data sets.*'d' and 'e'"):
        compare(report, replace(report, dataset="e"))
    with pytest.raises(InvalidInput, match="no common pairs"):
        compare(report, report_of(noise(0), start=1000))


def test_files(tmp_path: Path):
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, errors in zip(paths, (noise(0) + 3, noise(0)), strict=True):
        report_of(errors, name=path.stem).save(path)
    found = compare_files(*paths, json=tmp_path / "comparison.json")
    assert found.names == ("a", "b")
    written = json.loads((tmp_path / "comparison.json").read_text())
    assert written == found.to_dict()
    assert written["metrics"]["pose_auc_10deg"]["conclusion"] == "the second is better"
    assert written["metrics"]["pose_auc_10deg"]["significant"] is True
