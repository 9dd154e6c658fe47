"""What all requests of a server share: settings, images of users, networks, queue."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from tiepoint.app.collections import Collections
from tiepoint.app.jobs import Job, Queue, Work
from tiepoint.app.models import Models
from tiepoint.app.root import Root
from tiepoint.app.settings import AppSettings
from tiepoint.app.uploads import Upload, Uploads
from tiepoint.errors import InvalidInput
from tiepoint.io.folders import file_sizes
from tiepoint.io.temporary import TemporaryFolder

MAX_RECEIVING = 16  # images that clients or other servers are sending; each is in memory
MAX_READING = 4  # images that are decoded for requests at the same time


@dataclass(slots=True)
class Service:
    """The state of a server; create it with `Service.create`, and close it.

    Attributes:
        settings: Settings of the server.
        folder: Temporary folder of uploads and results.
        root: Files below the root.
        uploads: Images of users.
        models: Networks.
        queue: Jobs of all users.
        collections: Collections of all users.
        receiving: Bounds the images that arrive, so that slow clients do not block those that are decoded.
        reading: Bounds the images that are decoded.
    """

    settings: AppSettings
    folder: TemporaryFolder
    root: Root
    uploads: Uploads
    models: Models
    queue: Queue = field(repr=False)
    collections: Collections = field(repr=False)
    receiving: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_RECEIVING))
    reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_READING))

    @classmethod
    def create(cls, settings: AppSettings, models: Models | None = None) -> "Service":
        """Create the folder and start the worker.

        Args:
            settings: Settings of the server.
            models: Networks; None loads them when they are needed.

        Raises:
            InvalidInput: If the temporary folder cannot be created.
        """
        try:
            folder = TemporaryFolder("app")
            (folder.path / "uploads").mkdir()
            (folder.path / "jobs").mkdir()
        except OSError as error:
            raise InvalidInput(
                f"cannot create a temporary folder: {error.strerror or error}; set TMPDIR to a writable folder"
            ) from error
        limits = settings.limits
        uploads = Uploads(folder.path / "uploads", limits, lambda: sum(file_sizes(folder.path / "jobs")))
        root = Root(settings.root)
        return cls(
            settings=settings,
            folder=folder,
            root=root,
            collections=Collections(settings, root),
            uploads=uploads,
            models=models or Models(settings),
            queue=Queue(limits.max_queue, keep_s=limits.keep_s),
        )

    def submit(self, kind: str, work: Work, images: Sequence[Upload] = ()) -> Job:
        """Queue a job with the time limit of the server.

        Args:
            kind: Kind of the work.
            work: Function that does the work.
            images: Uploads that the work reads; they do not expire before its end.

        Raises:
            RequestError: If too many jobs wait, or the storage is full.
        """
        self.uploads.check_space()
        job = Job(kind, work, self.folder.path / "jobs", self.settings.limits.job_timeout_s, images)
        return self.queue.submit(job)

    def clean_up(self) -> None:
        """Remove what was not used for long."""
        self.queue.remove_old()
        self.uploads.renew(self.queue.images_in_use())
        self.uploads.remove_unused()

    def close(self) -> None:
        """Stop the worker and remove all files of users."""
        self.collections.close()
        self.queue.close()
        self.folder.close()
