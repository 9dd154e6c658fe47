"""A report of a training with one matcher."""

from pathlib import Path

import pytest
from tests.helpers.training_reports import make_report

from tiepoint.training.report.training_report import TrainingReport


@pytest.fixture
def report(tmp_path: Path) -> TrainingReport:
    return make_report(tmp_path)
