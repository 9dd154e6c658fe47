"""The page of a run's progress."""

from dataclasses import replace
from pathlib import Path

from tests.helpers.run_progress import PROGRESS

from tiepoint.collection.report.progress_page import write_progress_page


def test_the_page_of_a_running_run_is_reloaded(tmp_path: Path) -> None:
    page = write_progress_page(PROGRESS, tmp_path / "p.html", now=70.0, refresh_s=5.0).read_text()
    assert '<meta http-equiv="refresh" content="5">' in page
    assert '<progress max="1000" value="250">' in page
    assert '<progress max="1" value="1">' in page
    assert "&lt;b&gt;.jpg: truncated" in page
    assert "robot:78" in page


def test_the_page_of_an_ended_run_is_not_reloaded(tmp_path: Path) -> None:
    page = write_progress_page(replace(PROGRESS, state="finished"), tmp_path / "p.html", now=70.0).read_text()
    assert "refresh" not in page
    assert "run: finished" in page
