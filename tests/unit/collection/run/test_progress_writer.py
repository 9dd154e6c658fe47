"""The progress of a run is written while it runs, whatever happens to it."""

import json
import logging
import os
from pathlib import Path

import pytest

from tiepoint.collection.run.live_progress import LiveProgress, read_progress
from tiepoint.collection.run.progress_writer import MAX_MESSAGES, ProgressWriter, written_progress
from tiepoint.collection.run.tasks import Outcome
from tiepoint.collection.state import PROGRESS


class Clock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def outcome(size: int, worker: str = "robot:7", problems: tuple[str, ...] = ()) -> Outcome:
    seconds = {"read": 0.5, "match": 1.5}
    return Outcome(
        kind="matches", shard="", keys=(), size=size, problems=problems, seconds=seconds, worker=worker
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writer(tmp_path: Path, clock: Clock) -> ProgressWriter:
    return ProgressWriter(tmp_path / PROGRESS, "processes:2", clock)


def read(writer: ProgressWriter) -> LiveProgress:
    return read_progress(writer.path.parent)


def test_a_new_run_has_no_stage(writer: ProgressWriter) -> None:
    progress = read(writer)
    assert (progress.state, progress.executor, progress.process_id) == ("running", "processes:2", os.getpid())
    assert progress.stages == progress.workers == ()


def test_rate_and_remaining_time(writer: ProgressWriter, clock: Clock) -> None:
    writer.begin_stage("match", 100)
    assert read(writer).stages[0].remaining_s is None
    for _ in range(2):
        clock.now += 5
        writer.add(outcome(20))
    stage = read(writer).stages[0]
    assert (stage.done, stage.total, stage.seconds, stage.rate) == (40, 100, 10.0, 4.0)
    assert stage.remaining_s == 15.0


def test_the_rate_is_that_of_the_last_minutes(writer: ProgressWriter, clock: Clock) -> None:
    """A slow start, such as a first task that loads a model, is forgotten."""
    writer.begin_stage("match", 10_000)
    clock.now += 1000
    writer.add(outcome(1))
    for _ in range(30):
        clock.now += 10
        writer.add(outcome(50))
    assert read(writer).stages[0].rate == pytest.approx(5.0)


def test_memory_does_not_grow_with_the_number_of_tasks(writer: ProgressWriter, clock: Clock) -> None:
    writer.begin_stage("match", 100_000)
    for _ in range(10_000):
        clock.now += 0.01
        writer.add(outcome(8))
    assert len(writer._recent) <= 102
    assert writer._state.stages[0].rate == pytest.approx(800.0)


def test_a_stage_without_missing_records_is_done(writer: ProgressWriter) -> None:
    writer.begin_stage("extract", 0)
    writer.begin_stage("match", 3)
    done, current = read(writer).stages
    assert (done.remaining_s, current.remaining_s) == (0.0, None)


def test_work_of_each_worker(writer: ProgressWriter, clock: Clock) -> None:
    writer.begin_stage("match", 100)
    for worker in ("a:1", "b:2", "a:1"):
        clock.now += 1
        writer.add(outcome(8, worker))
    first, second = read(writer).workers
    assert (first.name, first.tasks, first.records, first.busy_s, first.last_at) == (
        "a:1",
        2,
        16,
        4.0,
        1003.0,
    )
    assert (second.name, second.tasks, second.last_at) == ("b:2", 1, 1002.0)


def test_the_latest_problems_are_kept(writer: ProgressWriter, clock: Clock) -> None:
    writer.begin_stage("extract", 100)
    for number in range(MAX_MESSAGES + 5):
        clock.now += 1
        writer.add(outcome(1, problems=(f"{number}.jpg: truncated",)))
    progress = read(writer)
    assert progress.num_problems == MAX_MESSAGES + 5
    assert (progress.problems[0], len(progress.problems)) == ("5.jpg: truncated", MAX_MESSAGES)


def test_the_file_is_written_once_a_second(writer: ProgressWriter, clock: Clock) -> None:
    writer.begin_stage("match", 100)
    clock.now += 0.5
    writer.add(outcome(1))
    assert read(writer).stages[0].done == 0
    clock.now += 0.6
    writer.add(outcome(1))
    assert read(writer).stages[0].done == 2


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [(KeyboardInterrupt(), "interrupted", ""), (OSError("disk full\nmore"), "failed", "disk full")],
)
def test_how_a_run_ended(tmp_path: Path, error: BaseException, state: str, message: str) -> None:
    with pytest.raises(type(error)), written_progress(tmp_path, "serial"):
        raise error
    progress = read_progress(tmp_path)
    assert (progress.state, progress.message) == (state, message)


def test_a_finished_run(tmp_path: Path) -> None:
    with written_progress(tmp_path, "serial") as writer:
        writer.begin_stage("extract", 2)
        writer.add(outcome(2))
    progress = read_progress(tmp_path)
    assert (progress.state, progress.stages[0].done) == ("finished", 2)


def test_a_run_goes_on_where_its_progress_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), written_progress(tmp_path / "gone", "serial") as writer:
        writer.begin_stage("extract", 2)
        writer.add(outcome(2))
    assert len(caplog.messages) == 1
    assert "the progress of this run cannot be watched" in caplog.messages[0]


def test_the_file_is_plain_json(writer: ProgressWriter) -> None:
    assert json.loads(writer.path.read_text())["state"] == "running"
