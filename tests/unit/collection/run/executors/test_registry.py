"""Names of executors; the serial executor."""

import pytest

from tiepoint.collection.run.executors.registry import check_executor, open_executor
from tiepoint.collection.run.tasks import Extract, Job
from tiepoint.errors import InvalidInput


@pytest.mark.parametrize(
    "name", ["serial", "processes", "processes:3", "ray", "ray:10.0.0.1:6379", "ray:auto"]
)
def test_valid_names(name: str):
    check_executor(name)


@pytest.mark.parametrize(
    "name", ["", "serial:2", "processes:", "processes:-1", "processes:x", "processes:²", "dask"]
)
def test_invalid_names(name: str):
    with pytest.raises(InvalidInput):
        check_executor(name)


@pytest.mark.slow
def test_serial_runs_tasks_lazily(tasks: list[Extract], job: Job):
    with open_executor("serial", job) as workers:
        outcomes = workers.run(iter(tasks))
        assert next(outcomes).keys == (tasks[0].images[0].key,)
        assert len(list(outcomes)) == 11
