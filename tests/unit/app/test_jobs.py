"""The queue: one job at a time in order, cancel while waiting and running, time limit, errors, and what is kept."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tiepoint.app.jobs import Job, Queue
from tiepoint.app.messages import INTERNAL, RequestError
from tiepoint.errors import InvalidInput


@pytest.fixture
def queue() -> Iterator[Queue]:
    made = Queue(3, max_kept=2)
    yield made
    made.close()


class Gate:
    """Work that waits until it may go on."""

    def __init__(self) -> None:
        self.started, self.opened = threading.Event(), threading.Event()

    def __call__(self, job: Job) -> dict[str, Any]:
        with job.progress("waiting", 10) as advance:
            self.started.set()
            assert self.opened.wait(10)
            advance(4)
        return {"value": 1}


def wait(job: Job) -> Job:
    assert job.is_finished.wait(10)
    return job


def test_jobs_run_one_after_the_other(queue: Queue, tmp_path: Path) -> None:
    running: list[int] = []
    most: list[int] = []

    def work(job: Job) -> dict[str, Any]:
        running.append(1)
        most.append(len(running))
        time.sleep(0.01)
        running.pop()
        return {"id": job.id}

    jobs = []
    for _ in range(6):
        jobs.append(queue.submit(Job("test", work, tmp_path)))
        if len(jobs) % 2 == 0:
            wait(jobs[-1])
    assert max(most) == 1
    assert [wait(job).result for job in jobs] == [{"id": job.id} for job in jobs]
    assert len({job.id for job in jobs}) == 6


def test_progress_and_position(queue: Queue, tmp_path: Path) -> None:
    gate = Gate()
    first = queue.submit(Job("test", gate, tmp_path))
    second = queue.submit(Job("test", lambda job: {}, tmp_path))
    assert gate.started.wait(10)
    assert first.to_dict() | {"id": ""} == {
        "id": "", "kind": "test", "state": "running", "stage": "waiting", "done": 0, "total": 10, "error": "", "result": {},
    }  # fmt: skip
    assert (queue.position(first), queue.position(second)) == (0, 1)
    gate.opened.set()
    assert wait(second).state == "done"
    assert (first.done, first.result) == (4, {"value": 1})


def test_a_waiting_job_is_canceled_at_once(queue: Queue, tmp_path: Path) -> None:
    gate = Gate()
    queue.submit(Job("test", gate, tmp_path))
    waiting = queue.submit(Job("test", lambda job: {"ran": True}, tmp_path))
    waiting.cancel()
    assert waiting.to_dict()["state"] == "canceled"
    assert waiting.is_finished.is_set()
    gate.opened.set()
    wait(queue.submit(Job("test", lambda job: {}, tmp_path)))
    assert (waiting.state, waiting.result) == ("canceled", {})


def test_a_running_job_is_canceled_at_its_next_check(queue: Queue, tmp_path: Path) -> None:
    gate = Gate()
    job = queue.submit(Job("test", gate, tmp_path))
    assert gate.started.wait(10)
    assert job.folder.is_dir()
    job.cancel()
    gate.opened.set()
    assert wait(job).state == "canceled"
    assert not job.folder.exists()


def test_a_job_has_a_time_limit(queue: Queue, tmp_path: Path) -> None:
    def work(job: Job) -> dict[str, Any]:
        time.sleep(0.05)
        job.check()
        return {}

    job = wait(queue.submit(Job("test", work, tmp_path, timeout_s=0.01)))
    assert (job.state, job.status) == ("failed", 408)
    assert "time limit of 0.01 s" in job.error


@pytest.mark.parametrize(
    ("error", "message", "status"),
    [
        (InvalidInput("a\nb"), "a", 400),
        (RuntimeError("/secret/path"), INTERNAL, 500),
        (MemoryError(), INTERNAL, 500),
    ],
)
def test_errors_end_a_job_but_not_the_queue(
    queue: Queue, tmp_path: Path, error: Exception, message: str, status: int
) -> None:
    def fail(job: Job) -> dict[str, Any]:
        raise error

    job = wait(queue.submit(Job("test", fail, tmp_path)))
    assert (job.state, job.error, job.status) == ("failed", message, status)
    assert wait(queue.submit(Job("test", lambda job: {}, tmp_path))).state == "done"


def test_a_full_queue_refuses_jobs(queue: Queue, tmp_path: Path) -> None:
    gate = Gate()
    queue.submit(Job("test", gate, tmp_path))
    assert gate.started.wait(10)
    waiting = [queue.submit(Job("test", lambda job: {}, tmp_path)) for _ in range(3)]
    with pytest.raises(RequestError, match="3 jobs are waiting already") as error:
        queue.submit(Job("test", lambda job: {}, tmp_path))
    assert error.value.status == 503
    waiting[0].cancel()
    queue.submit(Job("test", lambda job: {}, tmp_path))
    gate.opened.set()


def test_only_the_last_results_are_kept(queue: Queue, tmp_path: Path) -> None:
    jobs = [wait(queue.submit(Job("test", lambda job: {}, tmp_path))) for _ in range(4)]
    queue.remove_old()
    assert [job.folder.exists() for job in jobs] == [False, False, True, True]
    with pytest.raises(RequestError, match="no longer on the server"):
        queue.get(jobs[0].id)
    assert queue.get(jobs[3].id) is jobs[3]


def test_old_results_are_removed(tmp_path: Path) -> None:
    queue = Queue(3, keep_s=100)
    job = wait(queue.submit(Job("test", lambda job: {}, tmp_path)))
    job.finished_at -= 101
    assert queue.get(job.id) is job
    queue.remove_old()
    assert job.folder.exists()
    job.last_used -= 101
    queue.remove_old()
    assert not job.folder.exists()
    queue.close()
