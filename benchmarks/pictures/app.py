"""Make the picture of docs/how-to/app.md: the page of `tiepoint app` in Chromium, with the motorcycle pair of scikit-image.

python -m benchmarks pictures app
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import PIL.Image

from benchmarks.browser import start_browser, wait_until
from benchmarks.paths import PICTURES
from tiepoint.image.sample_pair import motorcycle

WINDOW = {"width": 1100, "height": 850}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take no options."""


def main(arguments: argparse.Namespace) -> None:
    """Start the server, match the pair in its page and write the picture."""
    command = [sys.executable, "-m", "tiepoint", "app", "--port", "0", "--preset", "fast"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found is not None, "the server prints its address"
        with TemporaryDirectory() as folder, start_browser() as browser:
            page = browser.new_page(viewport=WINDOW, color_scheme="light")
            page.goto(found[0])
            for side, (pixels, name) in enumerate(
                zip(motorcycle()[:2], ("left.png", "right.png"), strict=True)
            ):
                PIL.Image.fromarray(pixels).save(Path(folder) / name)
                page.locator(f"input[aria-label='Choose file for image {side}']").set_input_files(
                    Path(folder) / name
                )
            wait_until(
                page,
                "[...document.querySelectorAll('#slots img')].filter((image) => image.complete).length === 2",
            )
            page.locator("#match-run").click()
            wait_until(page, "window.viewer")
            page.evaluate("viewer.set({ color: 'displacement', maxLines: 120 })")
            page.screenshot(path=PICTURES / "app.jpg", type="jpeg", quality=80, full_page=True)
    finally:
        server.terminate()
        server.wait()
    print(PICTURES / "app.jpg")
