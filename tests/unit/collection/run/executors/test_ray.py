"""Addresses of Ray clusters."""

import pytest

from tiepoint.collection.run.executors.ray import Ray, _is_same_cluster
from tiepoint.collection.run.tasks import Job
from tiepoint.errors import ExecutorError

pytest.importorskip("ray")


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "nowhere.invalid:6379"])
def test_unreachable_cluster_is_a_one_line_error(job: Job, address: str):
    with pytest.raises(ExecutorError, match=address) as caught:
        Ray(address, job)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("192.0.2.2:6379", True),
        ("ray://192.0.2.2:10001", True),
        ("localhost:6379", True),
        ("ray://127.0.0.1:10001", True),
        ("192.0.2.2:6380", False),
        ("192.0.2.3:6379", False),
        ("ray://192.0.2.3:10001", False),
        ("192.0.2.2", False),
        ("192.0.2.2:port", False),
        ("nowhere.invalid:6379", False),
        ("local", False),
    ],
)
def test_same_cluster(address: str, same: bool):
    assert _is_same_cluster(address, "192.0.2.2:6379", own_ip="192.0.2.2") is same
