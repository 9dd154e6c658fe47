"""Reports in a real browser: pictures, viewers on click, phones, accessibility, no network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.browser_pages import Open, serious_violations, settle
from tests.helpers.report_pages import PAGES

PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize("make", PAGES, ids=lambda make: make.__name__)
def test_reports(make: Callable[[Path], Path], open_page: Open, tmp_path: Path) -> None:
    """All in one test, because plotly.js makes the page of a collection slow to open."""
    page = open_page(make(tmp_path), ready="document.readyState === 'complete'")
    check_pictures(page)
    check_viewers(page)
    assert serious_violations(page) == []
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert serious_violations(page) == []


def check_pictures(page: Any) -> None:
    """Every picture is decoded, and there are pictures where there are pairs."""
    sizes = page.locator("img[data-picture]").evaluate_all("(images) => images.map((i) => i.naturalWidth)")
    assert all(width > 0 for width in sizes)
    assert (len(sizes) > 0) == (page.locator("button.pair").count() > 0)


def check_viewers(page: Any) -> None:
    """A click opens the viewer of a pair, and Escape closes it, after it has deselected a match."""
    buttons = page.locator("button.pair")
    for number in range(min(2, buttons.count())):
        buttons.nth(number).click()
        stage = page.locator(".stage")
        stage.wait_for()
        assert "matches of" in page.locator(".caption").inner_text()
        stage.press("n")
        for is_open in (True, False):
            page.keyboard.press("Escape")
            assert page.locator("#pair-dialog").is_visible() is is_open
