"""A small job, and its tasks, for every executor."""

from pathlib import Path

import pytest
from tests.helpers.small_collections import QUICK, write_image_folder

from tiepoint.collection.images import scan_images
from tiepoint.collection.run.tasks import Extract, Job

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
