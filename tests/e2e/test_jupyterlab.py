"""Results and the viewer in a real JupyterLab, in Chromium."""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tests.helpers.paths import REPOSITORY
from tests.helpers.report_pages import saved_pair
from tests.helpers.viewer_pairs import LAYERS

NOTEBOOK = "pair.ipynb"
CELLS = (
    "import tiepoint\nresult = tiepoint.MatchResult.load('pair.npz')\nresult",
    "result.show(tiepoint.estimate_fundamental(result))",
)
TOKEN = secrets.token_hex(16)
OPTIONS = (
    *("--no-browser", "--allow-root", "--port=0", f"--IdentityProvider.token={TOKEN}"),
    "--LabApp.expose_app_in_browser=True",
    *("--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"),
)
STARTUP_S = 60.0
RUN_ALL = """async () => {
  const app = window.jupyterapp;
  await app.restored;
  const session = app.shell.currentWidget.sessionContext;
  await session.ready;
  await session.session.kernel.info;
  app.commands.execute("notebook:run-all-cells");
}"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder with a notebook, and the matches that it shows."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    saved_pair(folder).save(folder / "pair.npz")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, folder / NOTEBOOK)
    return folder


@pytest.fixture
def lab(folder: Path, tmp_path: Path) -> Iterator[str]:
    """URL of a JupyterLab without any settings of the user."""
    runtime = tmp_path / "runtime"
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")]),
    }
    command = [sys.executable, "-m", "jupyterlab", *OPTIONS]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield find_url(runtime, server, tmp_path / "log")
        finally:
            server.terminate()
            server.wait(30)


def find_url(runtime: Path, server: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server answers, and return its URL."""
    end = time.monotonic() + STARTUP_S
    while time.monotonic() < end and server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            try:
                url = json.loads(file.read_text())["url"]
                urllib.request.urlopen(f"{url}api?token={TOKEN}", timeout=5).close()
            except (OSError, ValueError):
                continue
            return url
        time.sleep(0.1)
    pytest.fail(f"JupyterLab has not started: {log.read_text()[-2000:]}")


@pytest.mark.slow
def test_results_and_the_viewer_are_shown(browser: Any, lab: str) -> None:
    context = browser.new_context(viewport={"width": 1200, "height": 1400})
    context.set_default_timeout(40_000)
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{lab}lab/tree/{NOTEBOOK}?token={TOKEN}")
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.evaluate(RUN_ALL)
    frame = page.frame_locator("iframe[title=tiepoint]")
    frame.locator(".stage").wait_for()
    assert frame.locator(".stage > canvas").count() == 3
    assert f"60 matches of 80 and 80 keypoints, {LAYERS} layers" in frame.locator(".caption").inner_text()
    shown = page.locator(".jp-RenderedHTMLCommon").first
    assert "60" in shown.inner_text()
    assert shown.locator("img").evaluate("(image) => image.naturalWidth") > 0
    context.close()
    local = (lab, lab.replace("http", "ws", 1), "data:", "blob:", "about:")
    assert [url for url in requests if not url.startswith(local)] == []
