"""The report as JSON and as a page, and its curves."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.helpers.synthetic_pairs import SHAPE, features

from tiepoint.training.data.homography_views import View
from tiepoint.training.logs import STEPS, CsvLog
from tiepoint.training.report.html_report import write_page
from tiepoint.training.report.svg_plot import Curve, chart
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.validation import VALIDATION, Figures, HeldOutPair, nearest_matcher
from tiepoint.types import Features


@pytest.fixture
def report(tmp_path: Path) -> TrainingReport:
    figures = Figures(
        precision=0.5, recall=math.nan, auc=0.25, matches=12.0, correct=6.0, layers=2.0, seconds=0.1, pairs=1
    )
    return TrainingReport(
        folder=tmp_path,
        recipe="homography",
        extractor="aliked-n16",
        kind="aliked-n16@1",
        shape=SHAPE,
        parameters=1234,
        settings={"seed": 0},
        steps=3,
        pairs=6,
        seconds=1.5,
        protocol=VALIDATION["homography-512"],
        figures={"trained": figures},
        problems=("can't read <b>.jpg",),
        versions={"torch": "2"},
    )


def test_json_can_hold_it(report: TrainingReport) -> None:
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["figures"]["trained"]["recall"] is None
    assert values["shape"]["layers"] == 2
    assert values["protocol"]["name"] == "homography-512"
    assert "folder" not in values


def pair_of(photograph: Path | None) -> HeldOutPair:
    import torch

    generator = torch.Generator().manual_seed(0)
    of_image = features(60 * torch.rand(9, 2, generator=generator), torch.randn(9, 16, generator=generator))
    seen = Features(
        keypoints=of_image.keypoints,
        scores=of_image.scores,
        descriptors=of_image.descriptors,
        image_size=(64, 64),
        source=None if photograph is None else str(photograph),
    )
    return HeldOutPair(View(seen, np.eye(3)), View(seen, np.eye(3)))


def test_the_page_needs_nothing_beside_it(report: TrainingReport) -> None:
    Image.new("RGB", (64, 64), "white").save(report.folder / "white.png")
    log = CsvLog(report.folder / STEPS)
    for step in (1, 2, 3):
        log.append(
            {
                "step": step,
                "pairs": 2 * step,
                **dict.fromkeys(("total", "positive", "negative", "confidence"), 1.0),
            }
        )
    path = write_page(report, [pair_of(report.folder / "white.png")], {"nearest": nearest_matcher()})
    text = path.read_text()
    assert text.count("data:image/jpeg;base64,") == 1
    assert text.count("<polyline") == 4
    assert "can&#x27;t read &lt;b&gt;.jpg" in text
    assert not re.search(r'(src|href)="(?!data:)', text)


def test_photographs_that_are_gone_are_left_out(report: TrainingReport) -> None:
    pairs = [pair_of(report.folder / "gone.png"), pair_of(None)]
    assert "data:image" not in write_page(report, pairs, {"nearest": nearest_matcher()}).read_text()


def test_a_curve_is_two_columns_of_a_log() -> None:
    rows = [{"pairs": float(i), "total": 2.0 * i} for i in range(6)]
    assert Curve.of("loss", rows, "pairs", "total").y.tolist() == [0, 2, 4, 6, 8, 10]
    assert Curve.of("loss", rows, "pairs", "total", points=3).x.tolist() == [0.5, 2.5, 4.5]
    assert len(Curve.of("loss", [], "pairs", "total").x) == 0


def test_a_chart_spans_its_curves() -> None:
    svg = chart([Curve("a & b", np.array([0.0, 10.0]), np.array([1.0, 3.0]))])
    assert 'points="48.0,232.0 672.0,48.0"' in svg
    assert "a &amp; b" in svg
    assert ">3<" in svg


def test_what_is_not_a_number_is_left_out_of_a_line() -> None:
    svg = chart([Curve("a", np.array([0.0, 1, 2]), np.array([1.0, math.nan, 1.0]))])
    assert "nan" not in svg
    assert svg.count(",") == 2
