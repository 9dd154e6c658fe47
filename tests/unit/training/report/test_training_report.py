"""The report of a training as JSON and as one line."""

import json

from tiepoint.io.config import from_dict
from tiepoint.training.config import TrainConfig
from tiepoint.training.report.training_report import TrainingReport


def test_converts_to_json(report: TrainingReport) -> None:
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["metrics"]["trained"]["recall"] is None
    assert values["shape"]["layers"] == 2
    assert values["protocol"]["name"] == "homography-512"
    assert "folder" not in values
    assert from_dict(TrainConfig, values["config"]) == report.config


def test_repr_is_one_short_line(report: TrainingReport) -> None:
    assert "precision 50.0 %" in repr(report)
    assert len(repr(report)) < 200 + len(str(report.folder))
