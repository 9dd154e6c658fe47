"""Rendering of pages: inheritance, escaping, missing values, atomic writing."""

import re
from pathlib import Path

import jinja2
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.html.pair_viewers import PairViewers
from tiepoint.html.rendering import read_static, render_page, viewer_script, write_page

REPORT = {"summary": [("<a>", 1)], "problems": (), "notes": ["</p>"], "work": [], "options": []}


def test_pages_extend_the_base_and_escape_values() -> None:
    page = render_page("tiepoint.collection.report", "run_report.html.jinja", title="<b>", **REPORT)
    assert page.startswith("<!doctype html>")
    assert "<h1>&lt;b&gt;</h1>" in page
    assert "&lt;a&gt;" in page
    assert "<li>&lt;/p&gt;</li>" in page
    assert "default-src 'none'" in page
    assert page.endswith("</html>\n")


def test_missing_values_are_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="summary"):
        render_page("tiepoint.collection.report", "run_report.html.jinja", title="")


def test_every_page_has_the_language_and_fits_phones() -> None:
    page = render_page("tiepoint.collection.report", "run_report.html.jinja", title="", **REPORT)
    assert '<html lang="en">' in page
    assert "width=device-width" in page


def test_scripts_can_be_embedded() -> None:
    for script in (viewer_script(), read_static("static/pair_viewers.js")):
        assert not re.search(r"</script|<!--", script)
    assert PairViewers().scripts == []


def test_pages_are_written_atomically(tmp_path: Path) -> None:
    assert write_page("a\udcffb", tmp_path / "p.html").read_bytes() == b"a\\udcffb"
    with pytest.raises(InvalidInput, match="nowhere"):
        write_page("", tmp_path / "nowhere" / "p.html")
