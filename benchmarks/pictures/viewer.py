"""Make the picture of docs/how-to/look-at-matches.md: the viewer in Chromium, with the motorcycle pair of scikit-image.

python -m benchmarks pictures viewer
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.browser import start_browser, wait_until
from benchmarks.paths import PICTURES
from tiepoint.demo import match_motorcycle

WINDOW = {"width": 1100, "height": 550}
HOVERED = 19  # how often the key "next match" is pressed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take no options."""


def main(arguments: argparse.Namespace) -> None:
    """Match the pair, open its page, select a match and write the picture."""
    with TemporaryDirectory() as folder, start_browser() as browser:
        path = Path(folder) / "pair.html"
        match_motorcycle(path)
        page = browser.new_page(viewport=WINDOW, color_scheme="light")
        page.goto(path.as_uri())
        wait_until(page, "window.viewer")
        page.evaluate("viewer.set({ color: 'displacement', maxLines: 120 })")
        for _ in range(HOVERED):
            page.locator(".stage").press("n")
        page.screenshot(path=PICTURES / "viewer.jpg", type="jpeg", quality=82, full_page=True)
    print(PICTURES / "viewer.jpg")
