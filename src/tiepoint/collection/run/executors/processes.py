"""The executor of several processes of this machine: one model each, and each with its share of the cores.

Every worker has a pipe of its own. Where a worker is killed, its pipe ends, and nobody else's does; where this process is
killed, the pipes of its workers end, and so do they.
"""

import multiprocessing
import os
import pickle
import signal
import traceback
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from tiepoint.errors import ExecutorError

if TYPE_CHECKING:  # a worker heeds Ctrl-C until this is imported; torch would take seconds
    from tiepoint.collection.run.tasks import Job, Outcome, Task, Worker

MAX_WORKER_DEATHS = 3
"""So many workers may die over one task, or while they start."""

SHUTDOWN_TIMEOUT_S = 5.0
"""Seconds that a worker has to end by itself."""


class _Process:
    """A worker in a process of its own, the task that it is at, and how many workers died over that."""

    def __init__(self, job: bytes) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads half-dead
        self.pipe, other = context.Pipe()
        self._process = context.Process(target=_worker_main, args=(other, job), daemon=True)
        self._process.start()
        other.close()
        self.task: Task | None = None
        self.deaths = 0

    def give(self, task: "Task", deaths: int = 0) -> None:
        """Hand it a task; where it is dead, `take` will tell."""
        self.task, self.deaths = task, deaths
        with suppress(OSError):
            self.pipe.send(task)

    def take(self) -> Any:
        """Its answer, or what it raised. Raises EOFError where it died."""
        try:
            return self.pipe.recv()
        except OSError as error:
            raise EOFError from error

    def end(self, *, at_once: bool) -> None:
        """Let it end, or make it."""
        self.pipe.close()
        if at_once:
            self._process.terminate()
        self._process.join(SHUTDOWN_TIMEOUT_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


class Processes:
    """Tasks are done by processes that each have loaded the networks.

    Scripts that use this need `if __name__ == "__main__":` around what they do, as for all of `multiprocessing`.

    Args:
        count: of processes.
        job: what they are told; without a number of threads, they share the cores.

    Raises:
        TiepointError: what a worker raised while it started.
        ExecutorError: workers died while they started.
    """

    def __init__(self, count: int, job: "Job") -> None:
        self._job = pickle.dumps(replace(job, threads=job.threads or max(1, count_cores() // count)))
        self._processes = [_Process(self._job) for _ in range(count)]
        try:
            answers = [self._start(number) for number in range(count)]
        except BaseException:
            self._end(at_once=True)
            raise
        self.settings: dict[str, dict[str, Any]] = answers[0]

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._end(at_once=kind is not None)

    def run(self, tasks: Iterable["Task"]) -> Iterator["Outcome"]:
        """See `Executor`."""
        waiting = iter(tasks)
        for process in self._processes:
            self._feed(process, waiting)
        while busy := {process.pipe: process for process in self._processes if process.task is not None}:
            for pipe in wait(list(busy)):
                process = busy[pipe]  # type: ignore[index]
                try:
                    outcome = _raise_if_error(process.take())
                except EOFError:
                    self._replace(process)
                    continue
                process.task = None
                self._feed(process, waiting)
                yield outcome

    def _feed(self, process: _Process, waiting: Iterator["Task"]) -> None:
        task = next(waiting, None)
        if task is not None:
            process.give(task)

    def _replace(self, dead: _Process) -> None:
        """Give the task of a process that died to a new one."""
        assert dead.task is not None, "only busy processes are waited for"
        if dead.deaths + 1 == MAX_WORKER_DEATHS:
            raise _give_up_error("over the same task")
        number = self._processes.index(dead)
        self._renew(number)
        self._start(number)
        self._processes[number].give(dead.task, dead.deaths + 1)

    def _start(self, number: int) -> Any:
        """Wait until a process has loaded its networks; what it then says are its settings."""
        for _ in range(MAX_WORKER_DEATHS):
            with suppress(EOFError):
                return _raise_if_error(self._processes[number].take())
            self._renew(number)
        raise _give_up_error("while they started")

    def _renew(self, number: int) -> None:
        self._processes[number].end(at_once=True)
        self._processes[number] = _Process(self._job)

    def _end(self, *, at_once: bool) -> None:
        for process in self._processes:
            process.end(at_once=at_once)


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _give_up_error(when: str) -> ExecutorError:
    return ExecutorError(
        f"{MAX_WORKER_DEATHS} worker processes died {when}; where memory is short, use fewer processes, or a lower resize or "
        "max_keypoints"
    )


def _raise_if_error(message: Any) -> Any:
    if isinstance(message, Exception):
        raise message
    return message


def _worker_main(pipe: Connection, job: bytes) -> None:
    """What a worker process does until its pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the first process says what happens
    with suppress(EOFError, OSError):
        try:
            from tiepoint.collection.run.tasks import Worker

            worker = Worker(pickle.loads(job))
            pipe.send(worker.settings)
        except Exception as error:
            pipe.send(_picklable(error))
            return
        while True:
            pipe.send(_run_task(worker, pipe.recv()))


def _run_task(worker: "Worker", task: "Task") -> "Outcome | Exception":
    try:
        return worker.do(task)
    except Exception as error:
        return _picklable(error)


def _picklable(error: Exception) -> Exception:
    """An error that can be sent, with where it came from."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError("".join(traceback.format_exception(error)))
