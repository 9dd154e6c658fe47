"""Table of executors, and parsing of their names."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from tiepoint.collection.run.executors.processes import Processes, count_cores
from tiepoint.collection.run.executors.ray import Ray
from tiepoint.collection.run.executors.serial import Serial
from tiepoint.collection.run.tasks import Job, Outcome, Task
from tiepoint.errors import InvalidInput


@runtime_checkable
class Executor(Protocol):
    """Runs tasks; a context manager that stops its workers on exit."""

    settings: dict[str, dict[str, Any]]
    """Settings of the records that its workers write."""

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Run tasks, taken lazily; outcomes are yielded in any order.

        Raises:
            TiepointError: If a worker raised it, or workers died repeatedly.
        """
        ...


def open_executor(name: str, job: Job) -> AbstractContextManager[Executor]:
    """Start the workers of an executor.

    Args:
        name: "serial", "processes:N" or "ray[:ADDRESS]".
        job: Options of the run.

    Raises:
        InvalidInput: If there is no such executor.
        ExecutorError: If workers cannot be started or reached.
        MissingDependency: If Ray is not installed.
        WeightsError: If weights cannot be found, downloaded or loaded.
    """
    check_executor(name)
    kind, _, argument = name.partition(":")
    return EXECUTORS[kind](argument, job)


def check_executor(name: str) -> None:
    """Check the name of an executor.

    Raises:
        InvalidInput: If there is no such executor.
    """
    kind, colon, argument = name.partition(":")
    if kind not in EXECUTORS or (kind == "serial" and colon):
        raise InvalidInput(f"unknown executor {name!r}; expected serial, processes:N or ray[:ADDRESS]")
    if kind == "processes" and colon and not (argument.isascii() and argument.isdigit() and int(argument)):
        raise InvalidInput(f"expected processes:N with a positive integer N, got {name!r}")


EXECUTORS: dict[str, Callable[[str, Job], AbstractContextManager[Executor]]] = {
    "serial": lambda _, job: Serial(job),
    "processes": lambda argument, job: Processes(int(argument or count_cores()), job),
    "ray": lambda argument, job: Ray(argument, job),
}
"""Kind of executor -> function that starts its workers, given the part of the name after the colon."""
