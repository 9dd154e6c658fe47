"""The executor of a Ray cluster: many machines, of which any may fail.

The machines need tiepoint, the folder of photographs under the same path, and the stores: a shared folder, or object
storage. What goes through Ray is small: names of what to do, and what came of it.
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
from tiepoint.errors import ExecutorError, MissingDependency, TiepointError

MAX_RETRIES = 3
"""So often a task whose worker died is done again."""

IN_FLIGHT_PER_CPU = 2
"""Tasks in flight for each that can be done at a time."""

CONNECT_TIMEOUT_S = 5.0
"""Seconds in which a cluster must answer."""


class Ray:
    """Tasks are done by a Ray cluster, one core and, where the device asks for it, one GPU a task.

    Args:
        address: "HOST:PORT", "ray://HOST:PORT" or "auto"; "": the cluster of this process, or a new one here. Where this
            process has a cluster, it must be that one.
        job: what workers are told.

    Raises:
        ExecutorError: the cluster can't be reached, or this process is connected to another one.
        MissingDependency: Ray isn't installed.
        TiepointError: what a worker raised while it started.
    """

    def __init__(self, address: str, job: Job) -> None:
        self._ray = _import_ray()
        self._mine = not self._ray.is_initialized()
        if self._mine:
            _connect(self._ray, address)
        else:
            _check_same(self._ray, address)
        self._job = pickle.dumps(replace(job, threads=job.threads or 1))
        try:
            self._limit = IN_FLIGHT_PER_CPU * max(1, int(self._ray.cluster_resources().get("CPU", 1)))
            options = {"num_cpus": 1, "num_gpus": self._gpus(job), "max_retries": MAX_RETRIES}
            self._do = self._ray.remote(**options)(_run_task)
            self.settings: dict[str, dict[str, Any]] = self._get(
                self._ray.remote(**options)(_settings).remote(self._job)
            )
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "Ray":
        return self

    def __exit__(self, *_: object) -> None:
        if self._mine:
            self._ray.shutdown()

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """See `Executor`."""
        waiting = iter(tasks)
        flying = [self._do.remote(self._job, task) for task in islice(waiting, self._limit)]
        try:
            while flying:
                (landed, *_), flying = self._ray.wait(flying, num_returns=1)
                flying += [self._do.remote(self._job, task) for task in islice(waiting, 1)]
                yield self._get(landed)
        finally:
            for reference in flying:
                self._ray.cancel(reference, force=True)

    def _get(self, reference: Any) -> Any:
        """What a task gave, or what it raised."""
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, TiepointError):
                raise error.cause from error
            raise
        except self._ray.exceptions.RayError as error:
            raise ExecutorError(
                f"Ray lost a task {MAX_RETRIES + 1} times ({_first_line(error)}); is memory short?"
            ) from error

    def _gpus(self, job: Job) -> int:
        device = str(job.load.get("device", "auto"))
        there = self._ray.cluster_resources().get("GPU", 0) >= 1
        return int(device.startswith("cuda") or (device == "auto" and there))


def _run_task(job: bytes, task: Task) -> Outcome:
    return _get_worker(job).do(task)


def _settings(job: bytes) -> dict[str, dict[str, Any]]:
    return _get_worker(job).settings


@functools.lru_cache(maxsize=1)
def _get_worker(job: bytes) -> Worker:
    """The worker of this process; Ray gives it many tasks."""
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
    except Exception as error:  # Ray raises what its transport raises
        where = f"the Ray cluster at {address!r}" if address else "a Ray cluster on this machine"
        raise ExecutorError(f"can't reach {where}: {_first_line(error)}; is it running?") from error


def _check_reachable(address: str) -> None:
    """Ray itself tries for a minute."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        if parts.hostname is None or parts.port is None:
            return  # "", "auto", "local"
        socket.create_connection((parts.hostname, parts.port), timeout=CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        raise ExecutorError(
            f"can't reach the Ray cluster at {address!r}: {_first_line(error)}; start it with `ray start --head`, or "
            "check the address"
        ) from error


def _check_same(ray: Any, address: str) -> None:
    """Ray connects a process to one cluster, and would do the work there, whatever address is asked for."""
    here = ray.get_runtime_context().gcs_address
    if address not in ("", "auto") and not _is_same(address, here, ray.util.get_node_ip_address()):
        raise ExecutorError(
            f"expected the Ray cluster at {address!r}, but this process is connected to the one at {here!r}; take the "
            "executor 'ray' for that one, or call ray.shutdown() first"
        )


def _is_same(address: str, gcs: str, own_ip: str) -> bool:
    """Whether an address is that of the cluster with this GCS; a "ray://" port is another server's of the same machine."""
    asked, there = urlsplit(address if "://" in address else f"//{address}"), urlsplit(f"//{gcs}")
    try:
        if asked.scheme != "ray" and asked.port != there.port:
            return False
        return not _ips(asked.hostname, own_ip).isdisjoint(_ips(there.hostname, own_ip))
    except (OSError, ValueError):  # no such host, no such port
        return False


def _ips(host: str | None, own_ip: str) -> set[str]:
    """All that a name stands for; this machine's own is that which Ray gives it."""
    found = {ipaddress.ip_address(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    return {own_ip if ip.is_loopback else str(ip) for ip in found}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _import_ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise MissingDependency(
            "the executor 'ray' needs Ray, which isn't installed; run: python -m pip install ray"
        ) from error
    return ray
