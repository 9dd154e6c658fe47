"""The page of a ranking: order, escaping, errors."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.report_pages import ranking, saved_pair
from tests.helpers.viewer_pairs import shifted_pair

from tiepoint.errors import InvalidInput
from tiepoint.retrieval import Ranking
from tiepoint.retrieval.html_report import write_ranking_page


def test_results_are_cards_in_order(tmp_path: Path) -> None:
    page = ranking(tmp_path).read_text(encoding="utf-8")
    assert re.findall(r'<span class="title">(.*?)</span>', page) == ["1. c &amp; d.png", "2. c &amp; d.png"]
    assert "7 images compared" in page
    assert "x&lt;y&gt;.jpg is empty" in page
    pairs = re.findall(r'id="pair-\d">(.*?)</script>', page, re.DOTALL)
    assert [[image["src"] for image in json.loads(pair)["images"]] for pair in pairs] == [[0, 1], [0, 1]]
    assert json.loads(pairs[0])["verification"]["probability"] > 0


def test_rotations_are_named(tmp_path: Path) -> None:
    pair = replace(saved_pair(tmp_path), rotation1=90)
    found = Ranking(query=pair.features0.source or "", results=(pair,), compared=1)
    page = write_ranking_page(found, tmp_path / "found.html").read_text(encoding="utf-8")
    assert "rotated by 0° (query), 90°" in page


def test_images_that_are_gone_are_an_error(tmp_path: Path) -> None:
    pair = saved_pair(tmp_path)
    found = Ranking(query=pair.features0.source or "", results=(pair,), compared=1)
    Path(pair.features1.source or "").unlink()
    with pytest.raises(InvalidInput, match=r"c & d\.png"):
        write_ranking_page(found, tmp_path / "found.html")
    in_memory = Ranking(query=found.query, results=(shifted_pair(source1=None),), compared=1)
    with pytest.raises(InvalidInput, match="from memory"):
        write_ranking_page(in_memory, tmp_path / "found.html")
    assert not (tmp_path / "found.html").exists()


def test_notebooks_show_results_and_contact_sheet(tmp_path: Path) -> None:
    pair = saved_pair(tmp_path)
    found = Ranking(query=pair.features0.source or "", results=(pair,), compared=7)
    shown = found._repr_html_()
    assert "7 images compared with a&lt;b&gt;.png" in shown
    assert "c &amp; d.png: same scene" in shown
    assert "data:image/jpeg" in shown
    Path(pair.features1.source or "").unlink()
    assert "data:image/jpeg" not in found._repr_html_()
