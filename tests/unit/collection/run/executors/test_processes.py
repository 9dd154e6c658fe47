"""Executors: the same outcomes whoever does the tasks; workers that die cost time, errors come back as they were."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.small_collections import QUICK, write_image_folder

from tiepoint.collection.images import scan_images
from tiepoint.collection.run.executors import processes
from tiepoint.collection.run.executors.processes import Processes, _Process
from tiepoint.collection.run.executors.ray import Ray, _is_same_cluster
from tiepoint.collection.run.executors.registry import check_executor, open_executor
from tiepoint.collection.run.executors.serial import Serial
from tiepoint.collection.run.tasks import Extract, Job, Match
from tiepoint.errors import ExecutorError, InvalidInput, StoreError

OPTIONS = {name: value for name, value in QUICK.items() if name != "preset"}


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[Extract]:
    images, _ = scan_images(write_image_folder(tmp_path_factory.mktemp("photos"), 12))
    return [Extract((image,)) for image in images]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(
        preset=QUICK["preset"], load=OPTIONS, max_error_px=4.0, stores=str(tmp_path / "stores"), threads=1
    )


@pytest.mark.parametrize(
    "name", ["serial", "processes", "processes:3", "ray", "ray:10.0.0.1:6379", "ray:auto"]
)
def test_names_of_executors(name: str):
    check_executor(name)


@pytest.mark.parametrize(
    "name", ["", "serial:2", "processes:", "processes:-1", "processes:x", "processes:²", "dask"]
)
def test_what_is_no_executor(name: str):
    with pytest.raises(InvalidInput):
        check_executor(name)


def test_serial_does_tasks_one_by_one(tasks: list[Extract], job: Job):
    with open_executor("serial", job) as workers:
        outcomes = workers.run(iter(tasks))
        assert next(outcomes).keys == (tasks[0].images[0].key,)
        assert len(list(outcomes)) == 11


def test_processes_do_the_same_and_survive_a_killed_worker(tasks: list[Extract], job: Job):
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


def test_a_task_that_kills_every_worker_is_sent_deaths_up(
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


def test_what_a_worker_raises_comes_back(tasks: list[Extract], job: Job):
    with Processes(1, job) as workers, pytest.raises(StoreError, match="no-such-key"):
        list(workers.run([Match((("no-such-key", "b"),), {"no-such-key": "", "b": ""})]))


def test_what_a_worker_raises_while_it_starts_comes_back(job: Job):
    with pytest.raises(InvalidInput, match="resize"):
        Processes(2, replace(job, load={"resize": -1}))


def test_no_more_threads_than_cores(job: Job, monkeypatch: pytest.MonkeyPatch):
    jobs = []
    monkeypatch.setattr(processes, "_Process", lambda job: jobs.append(job) or pytest.fail("far enough"))
    monkeypatch.setattr(processes, "count_cores", lambda: 7)
    monkeypatch.setattr(processes.pickle, "dumps", lambda job: job)
    with pytest.raises(pytest.fail.Exception):
        Processes(3, replace(job, threads=None))
    assert [found.threads for found in jobs] == [2]


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "nowhere.invalid:6379"])
def test_an_unreachable_cluster_is_an_error_in_one_line(job: Job, address: str):
    with pytest.raises(ExecutorError, match=address) as caught:
        Ray(address, job)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("192.0.2.2:6379", True),
        ("ray://192.0.2.2:10001", True),
        ("localhost:6379", True),
        ("ray://127.0.0.1:10001", True),
        ("192.0.2.2:6380", False),
        ("192.0.2.3:6379", False),
        ("ray://192.0.2.3:10001", False),
        ("192.0.2.2", False),
        ("192.0.2.2:port", False),
        ("nowhere.invalid:6379", False),
        ("local", False),
    ],
)
def test_addresses_of_one_cluster(address: str, same: bool):
    assert _is_same_cluster(address, "192.0.2.2:6379", own_ip="192.0.2.2") is same


def _is_gone(pid: int | None) -> bool:
    try:
        os.kill(pid or 0, 0)
    except ProcessLookupError:
        return True
    return False
