"""Make the picture of docs/images-to-colmap.md: the page of a collection, from `python -m benchmarks reconstruction`.

    python -m benchmarks pictures view

The page in Chromium, without the images of the collection, which are not ours.
"""

import argparse
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import PIL.Image

from benchmarks.browser import start_browser, wait_until
from benchmarks.paths import PICTURES
from benchmarks.pictures.reconstruction import SCENE
from benchmarks.reconstruction.measure import STORE
from tiepoint.collection.collection import open_collection
from tiepoint.collection.report.html_view import write_html_view

WINDOW = {"width": 1100, "height": 800}
DRAWING_MS = 3000  # plotly.js reports no end of drawing
NO_IMAGES = (
    ".cards { display: none } h2:has(+ .cards), h2:has(+ p + .cards), p:has(+ .cards) { display: none }"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, default=STORE, help="Folder of collections and models.")


def main(arguments: argparse.Namespace) -> None:
    """Write the page of the castle, open it and write the picture."""
    with TemporaryDirectory() as folder, start_browser() as browser:
        collection = open_collection(arguments.store / SCENE / "out")
        path = write_html_view(collection, Path(folder) / "view.html")
        page = browser.new_page(viewport=WINDOW, color_scheme="light")
        page.goto(path.as_uri())
        wait_until(page, "document.querySelector('.js-plotly-plot canvas')")
        page.add_style_tag(content=NO_IMAGES)
        page.wait_for_timeout(DRAWING_MS)
        screenshot = page.screenshot(full_page=True)
    PIL.Image.open(io.BytesIO(screenshot)).convert("RGB").quantize(256).save(
        PICTURES / "view.png", optimize=True
    )
    print(PICTURES / "view.png")
