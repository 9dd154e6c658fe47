"""Executor of several processes on this machine: one model per process, which share the CPU cores.

Each worker has its own pipe. If a worker is killed, only its pipe is closed; if this process is killed, all pipes are
closed and the workers exit.
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

if TYPE_CHECKING:  # importing torch takes seconds, during which a worker would react to Ctrl-C
    from tiepoint.collection.run.tasks import Job, Outcome, Task, Worker

MAX_WORKER_DEATHS = 3
"""Number of workers that may die during the same task, or while starting, before the run fails."""

SHUTDOWN_TIMEOUT_S = 5.0
"""Time in s after which a worker that does not exit by itself is killed."""


class _Process:
    """A worker process, its current task, and the number of workers that died during that task."""

    def __init__(self, job: bytes) -> None:
        context = multiprocessing.get_context(
            "spawn"
        )  # fork would copy torch's thread pool in a broken state
        self.pipe, child_end = context.Pipe()
        self._process = context.Process(target=_worker_main, args=(child_end, job), daemon=True)
        self._process.start()
        child_end.close()
        self.task: Task | None = None
        self.deaths = 0

    def send(self, task: "Task", deaths: int = 0) -> None:
        """Send a task; if the process is dead, `receive` raises."""
        self.task, self.deaths = task, deaths
        with suppress(OSError):
            self.pipe.send(task)

    def receive(self) -> Any:
        """Return the next message, an outcome or an exception.

        Raises:
            EOFError: If the process died.
        """
        try:
            return self.pipe.recv()
        except OSError as error:
            raise EOFError from error

    def stop(self, *, at_once: bool) -> None:
        """Wait for the process to exit, or terminate it."""
        self.pipe.close()
        if at_once:
            self._process.terminate()
        self._process.join(SHUTDOWN_TIMEOUT_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


class Processes:
    """Runs tasks in worker processes that each load the networks.

    Scripts that use this need `if __name__ == "__main__":`, as for all of `multiprocessing`.

    Args:
        count: Number of processes.
        job: Options of the run; without a number of threads, the processes share the CPU cores.

    Raises:
        TiepointError: If a worker raised it while starting.
        ExecutorError: If workers died while starting.
    """

    def __init__(self, count: int, job: "Job") -> None:
        self._job = pickle.dumps(replace(job, threads=job.threads or max(1, count_cores() // count)))
        self._processes = [_Process(self._job) for _ in range(count)]
        try:
            settings = [self._wait_until_ready(number) for number in range(count)]
        except BaseException:
            self._stop(at_once=True)
            raise
        self.settings: dict[str, dict[str, Any]] = settings[0]

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._stop(at_once=kind is not None)

    def run(self, tasks: Iterable["Task"]) -> Iterator["Outcome"]:
        """Run tasks, see `Executor.run`."""
        queue = iter(tasks)
        for process in self._processes:
            self._send_next(process, queue)
        while busy := {process.pipe: process for process in self._processes if process.task is not None}:
            for pipe in wait(list(busy)):
                process = busy[pipe]  # type: ignore[index]
                try:
                    outcome = _raise_if_error(process.receive())
                except EOFError:
                    self._replace(process)
                    continue
                process.task = None
                self._send_next(process, queue)
                yield outcome

    def _send_next(self, process: _Process, queue: Iterator["Task"]) -> None:
        task = next(queue, None)
        if task is not None:
            process.send(task)

    def _replace(self, dead: _Process) -> None:
        """Send the task of a dead process to a new one."""
        assert dead.task is not None, "only busy processes are waited for"
        if dead.deaths + 1 == MAX_WORKER_DEATHS:
            raise _give_up_error("during the same task")
        number = self._processes.index(dead)
        self._restart(number)
        self._wait_until_ready(number)
        self._processes[number].send(dead.task, dead.deaths + 1)

    def _wait_until_ready(self, number: int) -> Any:
        """Wait until a process has loaded its networks; return its record settings."""
        for _ in range(MAX_WORKER_DEATHS):
            with suppress(EOFError):
                return _raise_if_error(self._processes[number].receive())
            self._restart(number)
        raise _give_up_error("while starting")

    def _restart(self, number: int) -> None:
        self._processes[number].stop(at_once=True)
        self._processes[number] = _Process(self._job)

    def _stop(self, *, at_once: bool) -> None:
        for process in self._processes:
            process.stop(at_once=at_once)


def count_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _give_up_error(when: str) -> ExecutorError:
    return ExecutorError(
        f"{MAX_WORKER_DEATHS} worker processes died {when}; if memory is short, use fewer processes, or lower resize or "
        "max_keypoints"
    )


def _raise_if_error(message: Any) -> Any:
    if isinstance(message, Exception):
        raise message
    return message


def _worker_main(pipe: Connection, job: bytes) -> None:
    """Main function of a worker process: run tasks until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the main process handles it
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
        return worker.run(task)
    except Exception as error:
        return _picklable(error)


def _picklable(error: Exception) -> Exception:
    """Return the error, or a substitute that can be pickled, with its traceback as a note."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError("".join(traceback.format_exception(error)))
