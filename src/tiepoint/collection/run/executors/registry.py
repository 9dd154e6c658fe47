"""One row an executor, and how its name is read."""

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
    """Who does tasks, as a context: leaving it ends its workers."""

    settings: dict[str, dict[str, Any]]
    """What decides the records that its workers make."""

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Do tasks, taking them as there is room; outcomes come in any order.

        Raises:
            TiepointError: what a worker raised; or workers died again and again.
        """
        ...


def open_executor(name: str, job: Job) -> AbstractContextManager[Executor]:
    """Start workers.

    Args:
        name: "serial", "processes:N" or "ray[:ADDRESS]".
        job: what they are told.

    Raises:
        InvalidInput: there is no such executor.
        ExecutorError: workers can't be started or reached.
        MissingDependency: Ray isn't installed.
        WeightsError: weights can't be found, fetched or loaded.
    """
    check_executor(name)
    row, _, argument = name.partition(":")
    return EXECUTORS[row](argument, job)


def check_executor(name: str) -> None:
    """Raise InvalidInput where there is no executor of this name."""
    row, colon, argument = name.partition(":")
    if row not in EXECUTORS or (row == "serial" and colon):
        raise InvalidInput(f"an executor is serial, processes:N or ray[:ADDRESS], but {name!r} came")
    if row == "processes" and colon and not (argument.isascii() and argument.isdigit() and int(argument)):
        raise InvalidInput(f"behind 'processes' stands how many, such as processes:4, but {name!r} came")


EXECUTORS: dict[str, Callable[[str, Job], AbstractContextManager[Executor]]] = {
    "serial": lambda _, job: Serial(job),
    "processes": lambda argument, job: Processes(int(argument or count_cores()), job),
    "ray": lambda argument, job: Ray(argument, job),
}
"""Name -> what starts its workers, given what stands behind the name."""
