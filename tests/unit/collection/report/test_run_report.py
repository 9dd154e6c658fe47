"""Report of a run as JSON and HTML."""

import json
from pathlib import Path

import pytest

from tiepoint.collection.report.run_report import RunReport
from tiepoint.errors import InvalidInput

REPORT = RunReport(
    out="out",
    image_folder="<photos>",
    options={"preset": "aliked+lightglue"},
    files=50,
    images=47,
    keypoints=96_256,
    selected=1081,
    pairs=1081,
    matches=120_000,
    verified=900,
    inliers=100_000,
    new={"features": 47},
    seconds={"extract": 12.34, "total": 20.0},
    work_seconds={"match": 40.0},
    problems=("a<b>.jpg is empty",),
)


def test_json_content(tmp_path: Path):
    REPORT.save(tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert (
        RunReport(**{**found, "problems": tuple(found["problems"]), "notes": tuple(found["notes"])}) == REPORT
    )


def test_html_page(tmp_path: Path):
    REPORT.save(tmp_path)
    page = (tmp_path / "report.html").read_text()
    for text in (
        "47 of 50",
        "1,081 of 1,081",
        "120,000",
        "12.3 s",
        "a&lt;b&gt;.jpg is empty",
        "aliked+lightglue",
    ):
        assert text in page
    assert "<b>" not in page
    assert "://" not in page  # it needs nothing else


def test_success_means_no_problems():
    assert not REPORT.success
    assert RunReport(out="", image_folder="", options={}, files=1, images=1).success


def test_missing_folder(tmp_path: Path):
    with pytest.raises(InvalidInput, match=str(tmp_path)):
        REPORT.save(tmp_path / "gone")
