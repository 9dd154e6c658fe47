"""Ray on two nodes, one of which is lost: the other completes the run with the result of one process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster
from tests.helpers.small_collections import SMALL, assert_same_collections, write_image_folder

from tiepoint.collection.collection import open_collection
from tiepoint.collection.run.runner import match_collection

QUIET = {"num_cpus": 1, "include_dashboard": False}
OUTCOMES = 2  # of matching, before a node is lost

pytestmark = [
    pytest.mark.weights,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray's own files and sockets
    pytest.mark.filterwarnings("ignore:Tip:FutureWarning"),  # Ray's note about its next version
]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Head node of a simulated cluster; a second node is added by the test."""
    ray.shutdown()  # a cluster of another test module
    cluster = Cluster(initialize_head=True, head_node_args=QUIET)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_lost_node(cluster: Cluster, tmp_path: Path):
    photos = write_image_folder(tmp_path / "photos", 10)
    node = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    outcomes: list[str] = []

    @contextmanager
    def progress(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
        def advance(_: int) -> None:
            outcomes.append(text)
            if text == "match" and outcomes.count(text) == OUTCOMES:
                cluster.remove_node(node, allow_graceful=False)

        yield advance

    report = match_collection(
        photos, tmp_path / "ray", executor=f"ray:{cluster.address}", progress=progress, **SMALL
    )
    assert len(cluster.worker_nodes) == 0
    assert report.success
    assert report.new == {"features": 10, "matches": 45, "verified": 45}
    match_collection(photos, tmp_path / "serial", threads=1, **SMALL)
    assert_same_collections(open_collection(tmp_path / "ray"), open_collection(tmp_path / "serial"))
