"""Processes: the same outcomes as the serial executor; killed workers are replaced, errors are passed on."""

import os
import signal
from dataclasses import replace

import pytest

from tiepoint.collection.run.executors import processes
from tiepoint.collection.run.executors.processes import Processes, _Process
from tiepoint.collection.run.executors.serial import Serial
from tiepoint.collection.run.tasks import Extract, Job, Match
from tiepoint.errors import ExecutorError, InvalidInput, StoreError


@pytest.mark.slow
def test_same_outcomes_with_a_killed_worker(tasks: list[Extract], job: Job):
    with Processes(2, job) as workers:
        outcomes = workers.run(iter(tasks))
        done = [next(outcomes)]
        os.kill(workers._processes[1]._process.pid, signal.SIGKILL)
        done += list(outcomes)
        pids = [process._process.pid for process in workers._processes]
    assert sorted(key for outcome in done for key in outcome.keys) == sorted(
        task.images[0].key for task in tasks
    )
    assert all(_is_gone(pid) for pid in pids)
    with Serial(job) as serial:
        assert serial.settings == workers.settings


@pytest.mark.slow
def test_gives_up_on_a_task_that_kills_every_worker(
    tasks: list[Extract], job: Job, monkeypatch: pytest.MonkeyPatch
):
    sent_deaths = []

    def send(self: _Process, task: Extract, deaths: int = 0) -> None:
        sent_deaths.append(deaths)
        self.task, self.deaths = task, deaths
        self._process.kill()

    monkeypatch.setattr(processes, "MAX_WORKER_DEATHS", 2)
    with Processes(1, job) as workers:
        monkeypatch.setattr(_Process, "send", send)
        with pytest.raises(ExecutorError, match="fewer processes"):
            list(workers.run(iter(tasks[:1])))
    assert sent_deaths == [0, 1]


@pytest.mark.slow
def test_errors_of_workers_are_raised(tasks: list[Extract], job: Job):
    with Processes(1, job) as workers, pytest.raises(StoreError, match="no-such-key"):
        list(workers.run([Match((("no-such-key", "b"),), {"no-such-key": "", "b": ""})]))


@pytest.mark.slow
def test_errors_while_starting_are_raised(job: Job):
    with pytest.raises(InvalidInput, match="resize"):
        Processes(2, replace(job, load={"resize": -1}))


def test_processes_share_the_cores(job: Job, monkeypatch: pytest.MonkeyPatch):
    jobs = []
    monkeypatch.setattr(processes, "_Process", lambda job: jobs.append(job) or pytest.fail("far enough"))
    monkeypatch.setattr(processes, "count_cores", lambda: 7)
    monkeypatch.setattr(processes.pickle, "dumps", lambda job: job)
    with pytest.raises(pytest.fail.Exception):
        Processes(3, replace(job, threads=None))
    assert [found.threads for found in jobs] == [2]


def _is_gone(pid: int | None) -> bool:
    try:
        os.kill(pid or 0, 0)
    except ProcessLookupError:
        return True
    return False
