"""Debian's Chromium, started once per session, for tests of web pages."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from benchmarks.browser import find_browser, start_browser


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
