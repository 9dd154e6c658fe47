"""`tiepoint collection watch`."""

import json
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.collection.run.progress_writer import ProgressWriter, written_progress
from tiepoint.collection.run.tasks import Outcome
from tiepoint.collection.state import PROGRESS


def invoke(*arguments: object):
    return CliRunner().invoke(app, ["collection", "watch", *map(str, arguments)])


def finish(folder: Path) -> None:
    with written_progress(folder, "serial") as writer:
        writer.begin_stage("extract", 4)
        writer.add(
            Outcome(kind="features", shard="", keys=(), size=4, problems=("a.jpg: truncated",), worker="h:1")
        )


def test_a_finished_run(tmp_path: Path) -> None:
    finish(tmp_path)
    result = invoke(tmp_path, "--html", tmp_path / "page.html", "--json", tmp_path / "state.json")
    assert result.exit_code == 0
    for text in ("finished", "4 of 4 images", "h:1", "a.jpg: truncated"):
        assert text in result.stdout
    assert "run: finished" in (tmp_path / "page.html").read_text()
    assert json.loads((tmp_path / "state.json").read_text())["num_problems"] == 1


def test_json_on_standard_output_is_alone_there(tmp_path: Path) -> None:
    finish(tmp_path)
    result = invoke(tmp_path, "--json", "-")
    assert json.loads(result.stdout)["state"] == "finished"
    assert "4 of 4 images" in result.stderr


def test_a_run_is_watched_until_it_ends(tmp_path: Path) -> None:
    writer = ProgressWriter(tmp_path / PROGRESS, "serial")
    writer.begin_stage("match", 10)

    def run() -> None:
        time.sleep(0.5)
        writer.end("finished")

    thread = threading.Thread(target=run)
    thread.start()
    result = invoke(tmp_path, "--interval", "0.1")
    thread.join()
    assert result.exit_code == 0
    assert "running" in result.stdout
    assert "finished" in result.stdout


def test_once_does_not_wait(tmp_path: Path) -> None:
    ProgressWriter(tmp_path / PROGRESS, "serial")
    result = invoke(tmp_path, "--once")
    assert result.exit_code == 0
    assert "running" in result.stdout


@pytest.mark.parametrize("state", ["failed", "interrupted"])
def test_a_run_that_did_not_finish_is_an_error(tmp_path: Path, state) -> None:
    ProgressWriter(tmp_path / PROGRESS, "serial").end(state, "no space left")
    assert invoke(tmp_path).exit_code == 1


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    result = invoke(tmp_path)
    assert result.exit_code == 1
    assert "no run has started there" in str(result.exception)
