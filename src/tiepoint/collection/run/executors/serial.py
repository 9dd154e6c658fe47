"""The executor of one process: this one."""

from collections.abc import Iterable, Iterator

from tiepoint.collection.run.tasks import Job, Outcome, Task, Worker


class Serial:
    """Tasks are done here, one after the other.

    Args:
        job: what the worker is told.

    Raises:
        InvalidInput: an option that can't be.
        WeightsError: weights can't be found, fetched or loaded.
    """

    def __init__(self, job: Job) -> None:
        self._worker = Worker(job)
        self.settings = self._worker.settings

    def __enter__(self) -> "Serial":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """See `Executor`."""
        return map(self._worker.do, tasks)
