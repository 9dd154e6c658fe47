"""Ray: a cluster of two workers gives what one process gives, also when one of them is killed in the middle."""

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

OBJECT_STORE_BYTES = 80 << 20  # Ray's own minimum is 75 MiB
OBJECT_BYTES = 16 << 20

pytestmark = [
    pytest.mark.weights,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray's own files and sockets
    pytest.mark.filterwarnings("ignore:Tip:FutureWarning"),  # of Ray, about its next version
]


@pytest.fixture(scope="module")
def spilled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where objects go that the object store has no room for."""
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


def test_a_worker_is_killed_in_the_middle(tmp_path: Path):
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


def test_an_object_store_that_is_full_all_the_time(tmp_path: Path, spilled: Path):
    """Objects that somebody holds fill it before the run, and more with each outcome, so that Ray must spill some."""
    photos = write_image_folder(tmp_path / "photos", 5)
    held = [_fill() for _ in range(OBJECT_STORE_BYTES // OBJECT_BYTES)]

    @contextmanager
    def progress(text: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda _: held.append(_fill())

    match_collection(photos, tmp_path / "ray", executor="ray", progress=progress, **SMALL)
    assert len(held) * OBJECT_BYTES > 2 * OBJECT_STORE_BYTES
    assert sum(path.stat().st_size for path in spilled.rglob("*") if path.is_file()) > OBJECT_STORE_BYTES / 2
    match_collection(photos, tmp_path / "serial", threads=1, **SMALL)
    assert_same_collections(open_collection(tmp_path / "ray"), open_collection(tmp_path / "serial"))


def test_the_cluster_that_was_there_stays(tmp_path: Path):
    match_collection(
        write_image_folder(tmp_path / "photos", 2),
        tmp_path / "out",
        executor="ray",
        stop_after="extract",
        **SMALL,
    )
    assert ray.is_initialized()


def test_the_address_of_the_cluster_that_was_there(tmp_path: Path):
    photos, here = write_image_folder(tmp_path / "photos", 2), ray.get_runtime_context().gcs_address
    for address in (here, f"localhost:{here.rpartition(':')[2]}", "auto"):
        out = tmp_path / address.partition(":")[0]
        match_collection(photos, out, executor=f"ray:{address}", stop_after="extract", **SMALL)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://192.0.2.77:10001", "nowhere.invalid:6379"])
def test_the_address_of_another_cluster_is_refused(tmp_path: Path, address: str):
    photos = write_image_folder(tmp_path / "photos", 2)
    with pytest.raises(ExecutorError, match="connected to"):
        match_collection(photos, tmp_path / "out", executor=f"ray:{address}", stop_after="extract", **SMALL)
    assert ray.is_initialized()


def test_what_a_worker_raises_comes_back_as_it_was(tmp_path: Path):
    photos = write_image_folder(tmp_path / "photos", 2)
    with pytest.raises(InvalidInput, match="resize"):
        match_collection(photos, tmp_path / "out", executor="ray", **{**SMALL, "resize": -5})


def _fill() -> "ray.ObjectRef[Any]":
    return ray.put(np.zeros(OBJECT_BYTES, np.uint8))


def _killer(stage: str, killed: list[int]) -> Callable[[str, int], Any]:
    """A progress that kills a worker at the first outcome of a stage."""

    @contextmanager
    def progress(text: str, total: int) -> Iterator[Callable[[int], None]]:
        def advance(_: int) -> None:
            if text == stage and not killed:
                killed.append(_workers()[0])
                os.kill(killed[0], signal.SIGKILL)

        yield advance

    return progress


def _workers() -> list[int]:
    """Processes that are at one of our tasks, as Ray titles them."""
    titles = {
        path.parent.name: path.read_bytes()
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if _can_read(path)
    }
    return [int(pid) for pid, title in titles.items() if title.startswith(b"ray::_do")]


def _can_read(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True
