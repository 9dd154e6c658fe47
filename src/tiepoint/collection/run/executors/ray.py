"""Executor of a Ray cluster: many machines, any of which may fail.

The machines need tiepoint, the image folder under the same path, and access to the stores (a shared folder or object
storage). Only tasks and outcomes pass through Ray; both are small.
"""

import functools
import ipaddress
import pickle
import socket
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from tiepoint.collection.run.tasks import Job, Outcome, Task, Worker
from tiepoint.errors import ExecutorError, TiepointError
from tiepoint.io.messages import first_line
from tiepoint.io.optional import import_optional

MAX_RETRIES = 3
"""Retries of a task whose worker died."""

IN_FLIGHT_PER_CPU = 2
"""Submitted tasks per CPU of the cluster, so that no worker waits for the next one."""

CONNECT_TIMEOUT_S = 5.0
"""Time in s within which a cluster must accept a connection."""


class Ray:
    """Runs tasks on a Ray cluster, with one CPU core per task and one GPU if the device is a GPU.

    Args:
        address: "HOST:PORT", "ray://HOST:PORT" or "auto"; "" is the cluster that this process is connected to, or a new
            local one. A process that is connected to a cluster cannot use another one.
        job: Options of the run.

    Raises:
        ExecutorError: If the cluster cannot be reached, or this process is connected to another one.
        MissingDependency: If Ray is not installed.
        TiepointError: If a worker raised it while starting.
    """

    def __init__(self, address: str, job: Job) -> None:
        self._ray = _import_ray()
        self._owns_connection = not self._ray.is_initialized()
        if self._owns_connection:
            _connect(self._ray, address)
        else:
            _check_same_cluster(self._ray, address)
        self._job = pickle.dumps(replace(job, threads=job.threads or 1))
        try:
            cpus = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
            self._max_in_flight = IN_FLIGHT_PER_CPU * cpus
            options = {"num_cpus": 1, "num_gpus": self._num_gpus(job), "max_retries": MAX_RETRIES}
            self._run_task = self._ray.remote(**options)(_run_task)
            self.settings: dict[str, dict[str, Any]] = self._get(
                self._ray.remote(**options)(_get_settings).remote(self._job)
            )
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "Ray":
        return self

    def __exit__(self, *_: object) -> None:
        if self._owns_connection:
            self._ray.shutdown()

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Run tasks, see `Executor.run`."""
        queue = iter(tasks)
        pending = [self._run_task.remote(self._job, task) for task in islice(queue, self._max_in_flight)]
        try:
            while pending:
                (done, *_), pending = self._ray.wait(pending, num_returns=1)
                pending += [self._run_task.remote(self._job, task) for task in islice(queue, 1)]
                yield self._get(done)
        finally:
            for reference in pending:
                self._ray.cancel(reference, force=True)

    def _get(self, reference: Any) -> Any:
        """Return the result of a task, or raise its error."""
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, TiepointError):
                raise error.cause from error
            raise
        except self._ray.exceptions.RayError as error:
            raise ExecutorError(
                f"Ray lost a task {MAX_RETRIES + 1} times ({first_line(error)}); check whether memory is short"
            ) from error

    def _num_gpus(self, job: Job) -> int:
        device = str(job.load.get("device", "auto"))
        has_gpu = self._ray.cluster_resources().get("GPU", 0) >= 1
        return int(device.startswith("cuda") or (device == "auto" and has_gpu))


def _run_task(job: bytes, task: Task) -> Outcome:
    return _get_worker(job).run(task)


def _get_settings(job: bytes) -> dict[str, dict[str, Any]]:
    return _get_worker(job).settings


@functools.lru_cache(maxsize=1)
def _get_worker(job: bytes) -> Worker:
    """Return the worker of this process, which Ray uses for many tasks."""
    return Worker(pickle.loads(job))


def _connect(ray: Any, address: str) -> None:
    _check_reachable(address)
    try:
        ray.init(
            address=address or "local",
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except Exception as error:  # Ray passes on any error of its transport
        where = f"the Ray cluster at {address!r}" if address else "a Ray cluster on this machine"
        raise ExecutorError(f"cannot reach {where}: {first_line(error)}; check that it is running") from error


def _check_reachable(address: str) -> None:
    """Fail fast: Ray itself tries for a minute."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        if parts.hostname is None or parts.port is None:
            return  # "", "auto", "local"
        socket.create_connection((parts.hostname, parts.port), timeout=CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        raise ExecutorError(
            f"cannot reach the Ray cluster at {address!r}: {first_line(error)}; start it with `ray start --head`, or "
            "check the address"
        ) from error


def _check_same_cluster(ray: Any, address: str) -> None:
    """Check the address against the connected cluster: Ray would silently use that one, whatever the address."""
    connected = ray.get_runtime_context().gcs_address
    if address not in ("", "auto") and not _is_same_cluster(
        address, connected, ray.util.get_node_ip_address()
    ):
        raise ExecutorError(
            f"expected the Ray cluster at {address!r}, but this process is connected to {connected!r}; use the executor "
            "'ray' for the connected one, or call ray.shutdown() first"
        )


def _is_same_cluster(address: str, gcs: str, own_ip: str) -> bool:
    """Return whether an address belongs to the cluster with this GCS; "ray://" has another port on the same host."""
    expected, connected = (
        urlsplit(address if "://" in address else f"//{address}"),
        urlsplit(f"//{gcs}"),
    )
    try:
        if expected.scheme != "ray" and expected.port != connected.port:
            return False
        return not _ips(expected.hostname, own_ip).isdisjoint(_ips(connected.hostname, own_ip))
    except (OSError, ValueError):  # unknown host, invalid port
        return False


def _ips(host: str | None, own_ip: str) -> set[str]:
    """Return all IP addresses of a host; loopback addresses become the node's own address in Ray."""
    addresses = {ipaddress.ip_address(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    return {own_ip if ip.is_loopback else str(ip) for ip in addresses}


def _import_ray() -> Any:
    ray = import_optional("ray", purpose="the executor 'ray'", install="tiepoint[ray]")
    import_optional("ray.exceptions", purpose="the executor 'ray'", install="tiepoint[ray]")
    return ray
