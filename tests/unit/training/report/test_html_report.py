"""The HTML report: self-contained, escaped, and complete without the source images."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.helpers.synthetic_pairs import features

from tiepoint.training.data.homographic_warps import Warp
from tiepoint.training.logs import STEPS, CsvLog
from tiepoint.training.report.html_report import write_html_report
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.validation import HeldOutPair, nearest_matcher
from tiepoint.types import Features


def make_pair(image: Path | None) -> HeldOutPair:
    generator = torch.Generator().manual_seed(0)
    random = features(60 * torch.rand(9, 2, generator=generator), torch.randn(9, 16, generator=generator))
    with_source = Features(
        keypoints=random.keypoints,
        scores=random.scores,
        descriptors=random.descriptors,
        image_size=(64, 64),
        source=None if image is None else str(image),
    )
    return HeldOutPair(Warp(with_source, np.eye(3)), Warp(with_source, np.eye(3)))


@pytest.mark.slow
def test_report_is_self_contained(report: TrainingReport) -> None:
    Image.new("RGB", (64, 64), "white").save(report.folder / "white.png")
    log = CsvLog(report.folder / STEPS)
    for step in (1, 2, 3):
        terms = dict.fromkeys(("total", "positive", "negative", "confidence"), 1.0)
        log.append({"step": step, "pairs": 2 * step, **terms})
    path = write_html_report(report, [make_pair(report.folder / "white.png")], {"nearest": nearest_matcher()})
    text = path.read_text()
    assert text.count("data:image/jpeg;base64,") == 1
    assert text.count("<svg") == 1
    assert "&lt;b&gt;.jpg" in text
    assert "<b>.jpg" not in text
    assert not re.search(r'(src|(?<!xlink:)href)="(?!data:|#)', text)


def test_missing_images_are_left_out(report: TrainingReport) -> None:
    pairs = [make_pair(report.folder / "missing.png"), make_pair(None)]
    assert "data:image" not in write_html_report(report, pairs, {"nearest": nearest_matcher()}).read_text()
