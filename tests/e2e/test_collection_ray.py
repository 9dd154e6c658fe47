"""Ray: two workers give the result of one process, even if one of them is killed."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from tests.helpers.small_collections import SMALL, assert_same_collections, write_image_folder

from tiepoint.collection.collection import open_collection
from tiepoint.collection.run.runner import match_collection
from tiepoint.errors import ExecutorError, InvalidInput
from tiepoint.io.progress import ProgressCallback

OBJECT_STORE_BYTES = 80 << 20  # Ray's own minimum is 75 MiB
OBJECT_BYTES = 16 << 20

pytestmark = [
    pytest.mark.weights,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray's own files and sockets
    pytest.mark.filterwarnings("ignore:Tip:FutureWarning"),  # Ray's note about its next version
]


@pytest.fixture(scope="module")
def spilled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder to which the object store spills."""
    return tmp_path_factory.mktemp("spilled")


@pytest.fixture(scope="module", autouse=True)
def cluster(spilled: Path) -> Iterator[None]:
    """Two workers, and a small object store."""
    ray.init(
        num_cpus=2,
        object_store_memory=OBJECT_STORE_BYTES,
        object_spilling_directory=str(spilled),
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    yield
    ray.shutdown()


def test_killed_worker(tmp_path: Path):
    photos = write_image_folder(tmp_path / "photos", 10)
    killed: list[int] = []
    report = match_collection(
        photos, tmp_path / "ray", executor="ray", progress=_killer("match", killed), **SMALL
    )
    assert killed
    assert report.success
    assert report.new == {"features": 10, "matches": 45, "verified": 45}
    match_collection(photos, tmp_path / "serial", threads=1, **SMALL)
    assert_same_collections(open_collection(tmp_path / "ray"), open_collection(tmp_path / "serial"))


def test_full_object_store(tmp_path: Path, spilled: Path):
    """Referenced objects fill it before the run and after each outcome, so that Ray must spill."""
    photos = write_image_folder(tmp_path / "photos", 5)
    held = [_fill() for _ in range(OBJECT_STORE_BYTES // OBJECT_BYTES)]

    @contextmanager
    def progress(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
        yield lambda _: held.append(_fill())

    match_collection(photos, tmp_path / "ray", executor="ray", progress=progress, **SMALL)
    assert len(held) * OBJECT_BYTES > 2 * OBJECT_STORE_BYTES
    assert sum(path.stat().st_size for path in spilled.rglob("*") if path.is_file()) > OBJECT_STORE_BYTES / 2
    match_collection(photos, tmp_path / "serial", threads=1, **SMALL)
    assert_same_collections(open_collection(tmp_path / "ray"), open_collection(tmp_path / "serial"))


def test_existing_cluster_stays_connected(tmp_path: Path):
    match_collection(
        write_image_folder(tmp_path / "photos", 2),
        tmp_path / "out",
        executor="ray",
        stop_after="extract",
        **SMALL,
    )
    assert ray.is_initialized()


def test_address_of_the_connected_cluster(tmp_path: Path):
    photos, here = write_image_folder(tmp_path / "photos", 2), ray.get_runtime_context().gcs_address
    for address in (here, f"localhost:{here.rpartition(':')[2]}", "auto"):
        out = tmp_path / address.partition(":")[0]
        match_collection(photos, out, executor=f"ray:{address}", stop_after="extract", **SMALL)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://192.0.2.77:10001", "nowhere.invalid:6379"])
def test_address_of_another_cluster_is_refused(tmp_path: Path, address: str):
    photos = write_image_folder(tmp_path / "photos", 2)
    with pytest.raises(ExecutorError, match="connected to"):
        match_collection(photos, tmp_path / "out", executor=f"ray:{address}", stop_after="extract", **SMALL)
    assert ray.is_initialized()


def test_errors_of_workers_are_raised(tmp_path: Path):
    photos = write_image_folder(tmp_path / "photos", 2)
    with pytest.raises(InvalidInput, match="resize"):
        match_collection(photos, tmp_path / "out", executor="ray", **{**SMALL, "resize": -5})


def _fill() -> "ray.ObjectRef[Any]":
    return ray.put(np.zeros(OBJECT_BYTES, np.uint8))


def _killer(stage: str, killed: list[int]) -> ProgressCallback:
    """Progress callback that kills a worker at the first outcome of a stage."""

    @contextmanager
    def progress(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
        def advance(_: int) -> None:
            if text == stage and not killed:
                killed.append(_workers()[0])
                os.kill(killed[0], signal.SIGKILL)

        yield advance

    return progress


def _workers() -> list[int]:
    """Processes that run a task, by their Ray process titles."""
    titles = {
        path.parent.name: path.read_bytes()
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if _can_read(path)
    }
    return [int(pid) for pid, title in titles.items() if title.startswith(b"ray::_run_task")]


def _can_read(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True
