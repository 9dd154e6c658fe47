"""Progress files of other processes and machines, and damaged ones."""

import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.run_progress import PROGRESS

from tiepoint.collection.run.live_progress import StageProgress, read_progress
from tiepoint.collection.state import PROGRESS as FILE
from tiepoint.errors import InvalidInput, StoreError
from tiepoint.io.serialization import write_json


def write(folder: Path, **values: object) -> None:
    progress = {
        "state": "running",
        "host": socket.gethostname(),
        "process_id": 1,
        "executor": "serial",
        "started_at": 10.0,
        "updated_at": 12.5,
        "stages": [],
        "workers": [],
        "problems": [],
    }
    write_json(progress | values, folder / FILE)


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_run_whose_process_is_gone_was_killed(tmp_path: Path) -> None:
    write(tmp_path, process_id=ended_process())
    assert read_progress(tmp_path).state == "killed"


def test_nothing_is_known_about_processes_of_other_machines(tmp_path: Path) -> None:
    write(tmp_path, process_id=ended_process(), host="elsewhere.example")
    assert read_progress(tmp_path).state == "running"


def test_a_finished_run_stays_finished(tmp_path: Path) -> None:
    write(tmp_path, process_id=ended_process(), state="finished")
    progress = read_progress(tmp_path)
    assert (progress.state, progress.seconds) == ("finished", 2.5)


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"has no progress\.json: no run has started there; start one with"
    ):
        read_progress(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"state": "running"}', '{"stages": [{"a": 1}]}'])
def test_damaged_files(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(StoreError, match="damaged, or of another version"):
        read_progress(tmp_path)


def test_values_that_this_version_does_not_know(tmp_path: Path) -> None:
    write(tmp_path, color="red")
    with pytest.raises(StoreError, match="another version"):
        read_progress(tmp_path)


def test_plain_values_contain_the_remaining_time() -> None:
    stage = StageProgress(name="match", done=10, total=30, started_at=1.0, rate=5.0)
    progress = replace(PROGRESS, stages=(stage,))
    assert json.loads(json.dumps(progress.to_dict()))["stages"][0]["remaining_s"] == 4.0
