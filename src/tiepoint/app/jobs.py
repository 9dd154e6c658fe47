"""A queue of jobs with one worker: results do not depend on how many users there are, nor does the memory."""

import logging
import queue
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tiepoint.app.messages import RequestError, public_message, status_of
from tiepoint.app.uploads import Upload
from tiepoint.errors import TiepointError
from tiepoint.io.progress import Advance

logger = logging.getLogger(__name__)

State = Literal["queued", "running", "done", "failed", "canceled"]
FINISHED = ("done", "failed", "canceled")

Work: TypeAlias = Callable[["Job"], dict[str, Any]]
"""Does the work of a job; the return value is its result."""


class Canceled(Exception):
    """Raised within the work of a job that was canceled."""


class Job:
    """Work for one user, under a secret id.

    Args:
        kind: Kind of the work.
        work: Function that does the work; it calls `check` or uses `progress` often.
        folder: Folder for the files of the result; the job creates it.
        timeout_s: Maximum duration in s; None for no limit.
        images: Uploads that the work reads; they do not expire before its end.

    Attributes:
        state: State of the job.
        stage: Description of the current stage.
        done: Finished units of the current stage.
        total: Number of units of the current stage; None if unknown.
        result: Result of the work.
        error: Message of the failure; "" for none.
        status: HTTP status of the failure.
        value: Python object of the work, for the request that waits for it; not kept for others.
        finished_at: Time of `time.monotonic` of the end; 0 before.
        last_used: Time of `time.monotonic` of the last request for the job; 0 before.
        images: Uploads that the work reads.
    """

    def __init__(
        self,
        kind: str,
        work: Work,
        folder: Path,
        timeout_s: float | None = None,
        images: Sequence[Upload] = (),
    ) -> None:
        self.id = secrets.token_urlsafe(16)
        self.kind = kind
        self.folder = folder / self.id
        self.state: State = "queued"
        self.stage = ""
        self.done = 0
        self.total: int | None = None
        self.result: dict[str, Any] = {}
        self.error = ""
        self.status = 200
        self.value: Any = None
        self.finished_at = 0.0
        self.last_used = 0.0
        self.images = images
        self._work: Work | None = work
        self._timeout_s = timeout_s
        self._deadline = float("inf")
        self._lock = threading.Lock()  # a job is either started or canceled while it waits
        self._is_canceled = threading.Event()
        self.is_finished = threading.Event()

    def cancel(self) -> None:
        """Stop the job: at once if it waits, else at its next check."""
        self._is_canceled.set()
        with self._lock:
            if self._work is not None:
                self._work = None
                self._finish("canceled")

    @property
    def is_waiting(self) -> bool:
        """Whether the job has not started, and was not canceled."""
        return self.state == "queued"

    def check(self) -> None:
        """Stop the work if the job was canceled, or exceeds its time limit.

        Raises:
            Canceled: If the job was canceled.
            RequestError: If the time limit is exceeded.
        """
        if self._is_canceled.is_set():
            raise Canceled
        if time.monotonic() > self._deadline:
            raise RequestError(
                f"stopped after the time limit of {self._timeout_s:g} s; use fewer or smaller images", 408
            )

    @contextmanager
    def progress(self, description: str, total: int | None) -> Iterator[Advance]:
        """Show a stage: a `ProgressCallback`, which stops the work if the job was canceled."""
        self.check()
        self.stage, self.done, self.total = description, 0, total

        def advance(count: int) -> None:
            self.done += count
            self.check()

        yield advance
        self.check()

    def run(self) -> None:
        """Do the work, unless it was canceled; all errors become the state of the job."""
        work = self._start()
        if work is None:
            return
        try:
            self.folder.mkdir(parents=True)
            self.result = work(self)
            self._finish("done")
        except Canceled:
            self._finish("canceled")
        except Exception as error:
            if not isinstance(error, TiepointError):
                logger.exception("job %s failed", self.kind)
            self.error, self.status = public_message(error), status_of(error)
            self._finish("failed")

    def _start(self) -> Work | None:
        """Change from queued to running; return None if the job was canceled or has run."""
        with self._lock:
            work, self._work = self._work, None
            if work is not None:
                self.state = "running"
                if self._timeout_s is not None:
                    self._deadline = time.monotonic() + self._timeout_s
        return work

    def _finish(self, state: State) -> None:
        if state != "done":
            self.remove_files()
        self.finished_at = time.monotonic()
        self.state = state
        self.is_finished.set()

    def remove_files(self) -> None:
        """Remove the files of the result."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def to_dict(self) -> dict[str, Any]:
        """Return what the user's browser gets."""
        return {
            "id": self.id,
            "kind": self.kind,
            "state": self.state,
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
            "error": self.error,
            "result": self.result,
        }


class Queue:
    """Jobs of all users, in the order in which they came, and their results.

    Args:
        max_waiting: Maximum number of waiting jobs.
        max_kept: Maximum number of finished jobs; the oldest are removed.
        keep_s: Time in s after their last use after which finished jobs are removed.
    """

    def __init__(self, max_waiting: int, max_kept: int = 100, keep_s: float = 3600.0) -> None:
        self._max_waiting = max_waiting
        self._max_kept = max_kept
        self._keep_s = keep_s
        self._jobs: dict[str, Job] = {}
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run_jobs, name="tiepoint-jobs", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> Job:
        """Add a job.

        Raises:
            RequestError: If too many jobs wait.
        """
        with self._lock:
            waiting = sum(each.is_waiting for each in self._jobs.values())
            if waiting >= self._max_waiting:
                raise RequestError(f"{waiting} jobs are waiting already; try again later", 503)
            self._jobs[job.id] = job
            self._waiting.put(job)
        self.remove_old()
        return job

    def get(self, job_id: str) -> Job:
        """Return a job, which is then kept for longer.

        Raises:
            RequestError: If there is no such job.
        """
        job = self._jobs.get(job_id)
        if job is None:
            raise RequestError("the result is no longer on the server; start again", 410)
        job.last_used = time.monotonic()
        return job

    def images_in_use(self) -> list[Upload]:
        """Return the uploads of the jobs that wait or run."""
        with self._lock:
            unfinished = [job for job in self._jobs.values() if job.state not in FINISHED]
        return [image for job in unfinished for image in job.images]

    def position(self, job: Job) -> int:
        """Return the number of jobs that run before a waiting job."""
        with self._lock:
            active = [each.id for each in self._jobs.values() if each.is_waiting or each.state == "running"]
        return active.index(job.id) if job.id in active else 0

    def remove_old(self) -> None:
        """Remove finished jobs that are too many or too old, with their files."""
        oldest = time.monotonic() - self._keep_s
        with self._lock:
            finished = [each for each in self._jobs.values() if each.state in FINISHED]
            extra = len(finished) - self._max_kept
            removed = [
                each
                for n, each in enumerate(finished)
                if n < extra or max(each.finished_at, each.last_used) < oldest
            ]
            for job in removed:
                del self._jobs[job.id]
        for job in removed:
            job.remove_files()

    def remove(self, job: Job) -> None:
        """Forget a job, and remove its files."""
        with self._lock:
            self._jobs.pop(job.id, None)
        job.remove_files()

    def close(self) -> None:
        """Cancel all jobs, and end the worker after the current stage."""
        with self._lock:
            for job in self._jobs.values():
                job.cancel()
        self._waiting.put(None)
        self._thread.join(timeout=5)

    def _run_jobs(self) -> None:
        while (job := self._waiting.get()) is not None:
            job.run()
            del job  # its result would stay in memory until the next one
