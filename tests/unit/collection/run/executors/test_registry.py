"""Names of executors; the serial executor."""

from pathlib import Path

import pytest
from tests.helpers.small_collections import QUICK, write_image_folder

from tiepoint.collection.images import scan_images
from tiepoint.collection.run.executors.registry import check_executor, open_executor
from tiepoint.collection.run.tasks import Extract, Job
from tiepoint.errors import InvalidInput

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
