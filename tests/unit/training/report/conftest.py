"""A report of a training with one matcher."""

import math
from pathlib import Path

import pytest
from tests.helpers.synthetic_pairs import SHAPE

from tiepoint.training.config import TrainConfig
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.validation import VALIDATION_PROTOCOLS, ValidationMetrics


@pytest.fixture
def report(tmp_path: Path) -> TrainingReport:
    metrics = ValidationMetrics(
        precision=0.5, recall=math.nan, auc=0.25, matches=12.0, correct=6.0, layers=2.0, seconds=0.1, pairs=1
    )
    return TrainingReport(
        folder=tmp_path,
        recipe="homography",
        extractor="aliked-n16",
        kind="aliked-n16@1",
        shape=SHAPE,
        parameters=1234,
        config=TrainConfig(),
        settings={"seed": 0},
        steps=3,
        pairs=6,
        best_pairs=4,
        seconds=1.5,
        protocol=VALIDATION_PROTOCOLS["homography-512"],
        metrics={"trained": metrics},
        notes=("no better than before",),
        problems=("cannot read <b>.jpg",),
        versions={"torch": "2"},
    )
