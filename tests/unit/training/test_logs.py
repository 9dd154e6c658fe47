"""Logs: one row per step, continued by a resumed run."""

import sys
from pathlib import Path

import pytest

from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.training.logs import EVENTS, STEPS, VALIDATIONS, CsvLog, TrainingLog, read_rows


def test_round_trip(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / STEPS)
    log.append({"step": 1, "loss": 0.1})
    log.append({"loss": 1e-17, "step": 2})
    assert read_rows(tmp_path / STEPS) == [{"step": 1, "loss": 0.1}, {"step": 2, "loss": 1e-17}]


def test_resumed_run_drops_rows_after_its_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / STEPS
    log = CsvLog(path)
    for step in (1, 2, 3):
        log.append({"step": step, "loss": step / 3})
    uninterrupted = path.read_text()
    with path.open("a") as file:
        file.write("4,0.3")  # killed while writing
    log = CsvLog(path, after=1)
    for step in (2, 3):
        log.append({"step": step, "loss": step / 3})
    assert path.read_text() == uninterrupted


def test_missing_file_has_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / STEPS) == []


def test_restarted_run_drops_all_rows(tmp_path: Path) -> None:
    CsvLog(tmp_path / STEPS).append({"step": 5, "loss": 1.0})
    log = CsvLog(tmp_path / STEPS, after=0)
    log.append({"step": 1, "other": 2.0})
    assert read_rows(tmp_path / STEPS) == [{"step": 1, "other": 2.0}]


def test_steps_and_validations_have_separate_files(tmp_path: Path) -> None:
    with TrainingLog(tmp_path) as log:
        log.step({"step": 1, "total": 2.0})
        log.validation({"step": 1, "precision": 0.5})
    assert read_rows(tmp_path / STEPS) == [{"step": 1, "total": 2.0}]
    assert read_rows(tmp_path / VALIDATIONS) == [{"step": 1, "precision": 0.5}]
    assert not (tmp_path / EVENTS).exists()


def test_write_error_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot write .*steps\.csv"):
        CsvLog(tmp_path / "missing" / STEPS).append({"step": 1})


def test_missing_tensorboard_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingDependency, match="tensorboard"):
        TrainingLog(tmp_path, tensorboard=True)


def test_tensorboard_events_are_written(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with TrainingLog(tmp_path, tensorboard=True) as log:
        log.step({"step": 3, "total": 2.0})
    events = EventAccumulator(str(tmp_path / EVENTS))
    events.Reload()
    (event,) = events.Scalars("step/total")
    assert (event.step, event.value) == (3, 2.0)
