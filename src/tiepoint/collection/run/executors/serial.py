"""Serial executor: all tasks in this process."""

from collections.abc import Iterable, Iterator

from tiepoint.collection.run.tasks import Job, Outcome, Task, Worker


class Serial:
    """Runs tasks one after another in this process.

    Args:
        job: Options of the run.

    Raises:
        InvalidInput: If an option is invalid.
        WeightsError: If weights cannot be found, downloaded or loaded.
    """

    def __init__(self, job: Job) -> None:
        self._worker = Worker(job)
        self.settings = self._worker.settings

    def __enter__(self) -> "Serial":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Run tasks, see `Executor.run`."""
        return map(self._worker.run, tasks)
