"""Reports: metrics against manual and independent computations; JSON round trip."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.protocols import PROTOCOLS
from tiepoint.evaluation.report import METRICS, PairResult, Report, read_report


def rows_of(truth: str, **columns: list[float]) -> list[PairResult]:
    count = len(next(iter(columns.values())))
    return [
        PairResult(
            pair=f"p{i}", scene="s", truth=truth, values={name: values[i] for name, values in columns.items()}
        )
        for i in range(count)
    ]


def report_of(rows: list[PairResult]) -> Report:
    from dataclasses import asdict

    return Report(
        predictor="x", dataset="d", protocol=asdict(PROTOCOLS["tiepoint"]), rows=rows, problems=["one"]
    )


def second_auc(errors: list[float], limit: float) -> float:
    """Area under the finely sampled recall curve; independent of the library."""
    finite = sorted(error for error in errors if error < limit)
    recalls = [0.0] + [(i + 1) / len(errors) for i in range(len(finite))]
    curve = np.interp(np.linspace(0, limit, 200_001), [0.0, *finite], recalls)
    return float(curve.mean())


def test_auc_against_manual_values():
    """Errors 1, 3 and a failure at 2 px: a triangle to (1, 1/3), then flat: (1/6 + 1/3) / 2."""
    metrics = report_of(rows_of("homography", corner_error_px=[1.0, 3.0, math.inf])).metrics()
    assert metrics["corner_auc_3px"].value == pytest.approx((1 / 6 + 2 / 3) / 3)
    assert metrics["corner_auc_1px"].value == 0
    metrics = report_of(rows_of("pose", pose_error_deg=[5.0, math.inf])).metrics()
    assert metrics["pose_auc_10deg"].value == pytest.approx((1.25 + 2.5) / 10)


def test_auc_against_an_independent_computation():
    errors = [*np.random.default_rng(0).exponential(6, 60).tolist(), math.inf, math.inf]
    metrics = report_of(rows_of("pose", pose_error_deg=errors)).metrics()
    for limit in (5, 10, 20):
        assert metrics[f"pose_auc_{limit}deg"].value == pytest.approx(second_auc(errors, limit), abs=1e-4)


def test_means_and_medians():
    rows = rows_of("homography", precision_3px=[0.5, 1.0, 0.0], num_matches=[10.0, 20.0, 1000.0])
    metrics = report_of(rows).metrics()
    assert metrics["precision_3px"].value == 0.5
    assert metrics["num_matches"].value == 20
    assert metrics["precision_3px"].low <= 0.5 <= metrics["precision_3px"].high


def test_a_metric_uses_only_rows_of_its_ground_truth():
    rows = rows_of("homography", corner_error_px=[1.0]) + rows_of("pose", pose_error_deg=[1.0])
    metrics = report_of(rows).metrics()
    assert {"corner_auc_3px", "pose_auc_5deg"} <= set(metrics)
    assert "marked_maa" not in metrics


def test_names_of_metrics_are_unique():
    assert len({figure.key for figure in METRICS}) == len(METRICS)


def test_json_round_trip(tmp_path: Path):
    report = report_of(rows_of("pose", pose_error_deg=[1.5, math.inf, 0.0], num_matches=[1.0, 2.0, 3.0]))
    report.save(tmp_path / "report.json")
    text = (tmp_path / "report.json").read_text()
    assert "Infinity" not in text
    assert json.loads(text)["rows"][1]["values"]["pose_error_deg"] is None
    again = read_report(tmp_path / "report.json")
    assert again.rows == report.rows or [row.values for row in again.rows] == [
        row.values for row in report.rows
    ]
    assert again.metrics() == report.metrics()
    assert again.protocol["name"] == "tiepoint"
    assert again.problems == ["one"]
    assert json.loads(text)["figures"]["pose_auc_5deg"]["value"] == report.metrics()["pose_auc_5deg"].value
    assert json.loads(text)["versions"]["tiepoint"]


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"rows": 5}', '{"rows": [{"pair": "a"}]}'])
def test_an_invalid_report_is_refused(tmp_path: Path, text: str | None):
    path = tmp_path / "report.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidInput, match=r"report\.json") as caught:
        read_report(path)
    assert "\n" not in str(caught.value)
