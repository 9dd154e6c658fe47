"""Both stages in one call, on data sets with a known shift."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.shift_dataset import COUNT, ShiftPredictor, shifted_dataset

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.evaluate import evaluate, subsample
from tiepoint.evaluation.ground_truth import (
    Dataset,
)
from tiepoint.evaluation.protocols import PROTOCOLS

PROTOCOL = PROTOCOLS["tiepoint"]


def test_both_stages_on_a_known_shift(tmp_path: Path):
    report = evaluate(shifted_dataset(tmp_path, (0, 2, 5)), lambda _: ShiftPredictor(), PROTOCOL)
    assert [row.pair for row in report.rows] == ["scene/0-1", "scene/0-2"]
    for row in report.rows:
        assert row.truth == "homography"
        assert row.values["num_matches"] == row.values["num_keypoints"] == row.values["num_inliers"] == COUNT
        assert row.values["precision_1px"] == row.values["recall_3px"] == 1.0
        assert row.values["corner_error_px"] < 1e-3
        assert row.values["corner_error_dlt_px"] < 1e-3
        assert row.values["seconds_match"] == 0.25
        assert row.values["seconds_estimate"] > 0
    assert report.rows[1].tags == {"index": 2.0}
    assert report.metrics()["corner_auc_1px"].value == pytest.approx(1, abs=1e-3)


def test_problems_of_the_data_set_are_reported(tmp_path: Path):
    dataset = replace(shifted_dataset(tmp_path, (0, 2, 5)), problems=("pairs.txt, line 3: four numbers",))
    dataset.pairs[1].image1.unlink()
    report = evaluate(dataset, lambda _: ShiftPredictor(), PROTOCOL)
    assert len(report.rows) == 1
    assert report.problems[0] == "pairs.txt, line 3: four numbers"
    assert "2.png" in report.problems[1]


def test_the_second_scoring_needs_no_predictor(tmp_path: Path):
    """glue-factory's two protocols share their predictions."""
    (tmp_path / "images").mkdir()
    dataset = shifted_dataset(tmp_path / "images")
    evaluate(dataset, lambda _: ShiftPredictor(), PROTOCOLS["glue-factory-poselib"], store=tmp_path / "store")
    idle = ShiftPredictor()
    report = evaluate(dataset, lambda _: idle, PROTOCOLS["glue-factory-opencv"], store=tmp_path / "store")
    assert (idle.extracted, idle.matched) == ([], [])
    assert report.protocol["name"] == "glue-factory-opencv"
    assert report.metrics()["corner_auc_1px"].value == pytest.approx(1, abs=1e-2)


def test_a_limit_samples_pairs_uniformly(tmp_path: Path):
    dataset = shifted_dataset(tmp_path, range(11))
    assert [pair.name for pair in subsample(dataset, 4).pairs] == [
        "scene/0-1",
        "scene/0-3",
        "scene/0-6",
        "scene/0-8",
    ]
    assert subsample(dataset, 100) is subsample(dataset, None) is dataset


def test_an_empty_data_set_is_refused_with_the_first_problem():
    with pytest.raises(InvalidInput, match="line 1: broken"):
        evaluate(
            Dataset(name="x", pairs=(), problems=("line 1: broken",)), lambda _: ShiftPredictor(), PROTOCOL
        )
