"""Debian's Chromium, started once per session, for tests of web pages."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.browser import find_browser, start_browser, wait_until
from tests.helpers.browser_pages import Open, settle


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser; without one tests are skipped, or fail if TIEPOINT_REQUIRE_BROWSER=1."""
    if find_browser() is None:
        reason = "there is no Chromium on this machine; install it: apt-get install chromium"
        if os.environ.get("TIEPOINT_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with start_browser() as started:
        yield started


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """Open a page; afterwards, check that it requested nothing and logged no error."""
    contexts, complaints = [], []

    def open_file(path: Path, ready: str = "window.viewer", **options: Any) -> Any:
        context = browser.new_context(**({"viewport": {"width": 1200, "height": 850}} | options))
        context.set_default_timeout(120_000)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(path.as_uri())
        wait_until(page, ready)
        settle(page)
        return page

    requests: list[str] = []
    yield open_file
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
