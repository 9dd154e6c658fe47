"""The HTML report: self-contained, escaped, and complete without the source images."""

import re

import pytest
from PIL import Image
from tests.helpers.training_reports import make_pair

from tiepoint.training.logs import STEPS, CsvLog
from tiepoint.training.report.html_report import write_html_report
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.validation import nearest_matcher


@pytest.mark.slow
def test_report_is_self_contained(report: TrainingReport) -> None:
    Image.new("RGB", (64, 64), "white").save(report.folder / "white.png")
    log = CsvLog(report.folder / STEPS)
    for step in (1, 2, 3):
        terms = dict.fromkeys(("total", "positive", "negative", "confidence"), 1.0)
        log.append({"step": step, "pairs": 2 * step, **terms})
    path = write_html_report(report, [make_pair(report.folder / "white.png")], {"nearest": nearest_matcher()})
    text = path.read_text()
    assert text.count("data:image/jpeg;base64,") == 2
    assert text.count("<svg") == 1
    assert "&lt;b&gt;.jpg" in text
    assert "<b>.jpg" not in text
    assert not re.search(r'(src|(?<!xlink:)href)="(?!data:|#)', text)


def test_missing_images_are_left_out(report: TrainingReport) -> None:
    pairs = [make_pair(report.folder / "missing.png"), make_pair(None)]
    assert "data:image" not in write_html_report(report, pairs, {"nearest": nearest_matcher()}).read_text()
