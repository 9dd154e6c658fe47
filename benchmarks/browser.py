"""Debian's Chromium with software rendering, for pictures and measurements of web pages, and for the tests."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # it may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a camera that shows a test pattern
    "--use-fake-ui-for-media-stream",
)


def find_browser() -> str | None:
    """Return the path of an installed Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def start_browser() -> Iterator[Any]:
    """Start Chromium, and yield Playwright's `Browser`."""
    from playwright.sync_api import sync_playwright

    executable = find_browser()
    if executable is None:
        raise FileNotFoundError("there is no Chromium on this machine; install it: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


def wait_until(page: Any, condition: str, timeout_ms: int = 180_000) -> None:
    """Like `page.wait_for_function`, which the Content-Security-Policy of tiepoint's pages forbids."""
    page.evaluate(
        """async ([condition, timeout]) => {
          const end = performance.now() + timeout;
          while (!(CONDITION)) {
            if (performance.now() > end) throw new Error(`not true in time: ${condition}`);
            await new Promise(requestAnimationFrame);
          }
        }""".replace("CONDITION", condition),
        [condition, timeout_ms],
    )
