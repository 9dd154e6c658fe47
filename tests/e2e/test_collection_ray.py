"""Ray: a cluster of two workers gives what one process gives, also when one of them is killed in the middle."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray
from tests.small_collections import SMALL, assert_same_collections, write_photographs

from tiepoint.collection.collection import open_collection
from tiepoint.collection.runner import match_collection
from tiepoint.errors import InvalidInput

OBJECT_STORE_BYTES = 80 << 20  # Ray's own minimum is 75 MiB

pytestmark = [
    pytest.mark.weights,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray's own files and sockets
    pytest.mark.filterwarnings("ignore:Tip:FutureWarning"),  # of Ray, about its next version
]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Two workers, and an object store that is always under pressure."""
    ray.init(
        num_cpus=2,
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    yield
    ray.shutdown()


def test_a_worker_is_killed_in_the_middle(tmp_path: Path):
    photos = write_photographs(tmp_path / "photos", 10)
    killed: list[int] = []
    report = match_collection(
        photos, tmp_path / "ray", executor="ray", progress=_killer("match", killed), **SMALL
    )
    assert killed
    assert report.success
    assert report.new == {"features": 10, "matches": 45, "verified": 45}
    match_collection(photos, tmp_path / "serial", threads=1, **SMALL)
    assert_same_collections(open_collection(tmp_path / "ray"), open_collection(tmp_path / "serial"))


def test_the_cluster_that_was_there_stays(tmp_path: Path):
    match_collection(
        write_photographs(tmp_path / "photos", 2), tmp_path / "out", executor="ray", until="extract", **SMALL
    )
    assert ray.is_initialized()


def test_what_a_worker_raises_comes_back_as_it_was(tmp_path: Path):
    photos = write_photographs(tmp_path / "photos", 2)
    with pytest.raises(InvalidInput, match="resize"):
        match_collection(photos, tmp_path / "out", executor="ray", **{**SMALL, "resize": -5})


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
