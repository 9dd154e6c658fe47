"""The report of a run: everything in JSON, what a person wants to know on a page."""

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


def test_json_has_everything(tmp_path: Path):
    REPORT.save(tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert (
        RunReport(**{**found, "problems": tuple(found["problems"]), "notes": tuple(found["notes"])}) == REPORT
    )


def test_the_page_shows_it_to_people(tmp_path: Path):
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
    assert "http" not in page  # it needs nothing else


def test_success_is_nothing_left_out():
    assert not REPORT.success
    assert RunReport(out="", image_folder="", options={}, files=1, images=1).success


def test_it_can_be_removed(tmp_path: Path):
    REPORT.save(tmp_path)
    for _ in range(2):
        RunReport.remove(tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_removed_is_named(tmp_path: Path):
    (tmp_path / "report.json").mkdir()
    with pytest.raises(InvalidInput, match=r"cannot remove .*report\.json"):
        RunReport.remove(tmp_path)


def test_a_folder_that_is_gone(tmp_path: Path):
    with pytest.raises(InvalidInput, match=str(tmp_path)):
        REPORT.save(tmp_path / "gone")
