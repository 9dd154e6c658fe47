"""Collections of images that the page matches and reconstructs: each in a folder that outlives the server.

ID/request.json   what was requested, and whether it is finished
ID/images/        uploads, or links to the images of a folder below the root
ID/out/           output folder of `tiepoint.match_collection`, which resumes
"""

import json
import re
import secrets
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from tiepoint.app.collection_run import find_report, run_collection
from tiepoint.app.jobs import Job, Queue
from tiepoint.app.messages import RequestError
from tiepoint.app.options import MatchSettings, preset_source
from tiepoint.app.root import Root
from tiepoint.app.settings import AppSettings
from tiepoint.app.uploads import Upload
from tiepoint.errors import InvalidInput
from tiepoint.io.folders import file_sizes
from tiepoint.io.home import home_folder
from tiepoint.io.serialization import write_json

REQUEST = "request.json"
MAX_COLLECTIONS = 100
MAX_WAITING = 4
STOP_S = 10.0  # time that a run has to stop before its collection is removed
PRIVATE = 0o700  # mode of folders that only the user of the server can read

_ID = re.compile(r"[\w-]{20,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRequest:
    """What a user requested.

    Attributes:
        folder: Folder below the root; "" for uploads.
        pairs: Pair selection, as for `tiepoint.match_collection`.
        reconstruct: Whether to run COLMAP's mapper.
        preset: Preset.
        max_keypoints: Maximum number of keypoints per image.
        resize: Longer image side in px.
        is_finished: Whether a run has finished.
    """

    folder: str = ""
    pairs: str = "exhaustive"
    reconstruct: bool = True
    preset: str
    max_keypoints: int = 2048
    resize: int = 1024
    is_finished: bool = False


class Collections:
    """All collections of a server; runs are in a queue of their own, one at a time.

    Args:
        settings: Settings of the server.
        root: Files below the root.
    """

    def __init__(self, settings: AppSettings, root: Root) -> None:
        self._settings = settings
        self._root = root
        self._queue = Queue(MAX_WAITING)
        self._running: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._creating = threading.Lock()  # the storage is checked and filled by one request at a time

    @property
    def folder(self) -> Path:
        """Folder of all collections; it need not exist."""
        return self._settings.state or home_folder() / "app"

    def create(
        self, images: Sequence[Upload], folder: str, match: MatchSettings, *, pairs: str, reconstruct: bool
    ) -> str:
        """Create a collection from uploads, which are copied, or from a folder below the root.

        Args:
            images: Uploads; empty for a folder.
            folder: Folder below the root.
            match: Options of matching.
            pairs: Pair selection.
            reconstruct: Whether to run COLMAP's mapper.

        Returns:
            Secret id of the collection.

        Raises:
            RequestError: If the storage is full, or the folder is not below the root.
        """
        if not images:
            self._root.images(folder, self._settings.limits.max_images)
        request = CollectionRequest(
            folder="" if images else folder,
            pairs=pairs,
            reconstruct=reconstruct,
            preset=match.preset,
            max_keypoints=match.max_keypoints,
            resize=match.resize,
        )
        collection_id = secrets.token_urlsafe(16)
        with self._creating:
            self._check_storage(sum(image.size for image in images))
            self._store(self.folder / collection_id, images, request)
        return collection_id

    def start(self, collection_id: str) -> Job:
        """Run a collection, or resume it; an unfinished run continues.

        Raises:
            RequestError: If there is no such collection, or too many runs wait.
        """
        with self._lock:
            collection_folder = self._collection_folder(collection_id)
            job = self._running.get(collection_id)
            if job is not None and not job.is_finished.is_set():
                return job
            job = Job("collection", lambda job: self._run(collection_folder, job), collection_folder / "jobs")
            self._running[collection_id] = self._queue.submit(job)
            return job

    def status(self, collection_id: str) -> dict[str, Any]:
        """Return the state of a collection; "interrupted" if a server ended before the run did.

        Raises:
            RequestError: If there is no such collection.
        """
        collection_folder = self._collection_folder(collection_id)
        request = _read(collection_folder)
        job = self._running.get(collection_id)
        if job is not None:
            state = job.to_dict() | {"position": self._queue.position(job)}
        else:
            state = {"state": "done" if request.is_finished else "interrupted", "error": "", "position": 0}
        report = find_report(collection_folder / "out") if request.is_finished else {}
        shown = {"folder": request.folder, "pairs": request.pairs, "preset": request.preset}
        return state | {"id": collection_id, "result": report, "request": shown}

    def cancel(self, collection_id: str) -> None:
        """Stop a run; it can be resumed.

        Raises:
            RequestError: If there is no such collection.
        """
        self._collection_folder(collection_id)
        if job := self._running.get(collection_id):
            job.cancel()

    def remove(self, collection_id: str) -> None:
        """Stop a run and remove the collection with all its files.

        Raises:
            RequestError: If there is no such collection, or its run has not stopped yet.
        """
        collection_folder = self._collection_folder(collection_id)
        job = self._running.get(collection_id)
        if job is not None:
            job.cancel()
            job.is_finished.wait(STOP_S)  # not within the lock: other collections must not wait
        with self._lock:
            job = self._running.get(collection_id)
            if job is not None and not job.is_finished.is_set():
                raise RequestError("the run has not stopped yet; try again", 409)
            self._running.pop(collection_id, None)
            (collection_folder / REQUEST).unlink(missing_ok=True)  # from now on it cannot be started
        shutil.rmtree(collection_folder, ignore_errors=True)

    def out(self, collection_id: str) -> Path:
        """Return the output folder of a collection.

        Raises:
            RequestError: If there is no such collection.
        """
        return self._collection_folder(collection_id) / "out"

    def close(self) -> None:
        """Stop all runs."""
        self._queue.close()

    def _store(self, collection_folder: Path, images: Sequence[Upload], request: CollectionRequest) -> None:
        """Write a new collection, whose name and content other users of the machine cannot read."""
        try:
            self.folder.mkdir(parents=True, mode=PRIVATE, exist_ok=True)
            collection_folder.mkdir(mode=PRIVATE)
            (collection_folder / "images").mkdir()
            for number, image in enumerate(images):
                shutil.copyfile(image.path, collection_folder / "images" / f"{number:03}-{_file_name(image)}")
            self._write(collection_folder, request)
        except (OSError, InvalidInput) as error:
            shutil.rmtree(collection_folder, ignore_errors=True)
            raise RequestError(
                "cannot store the collection: no space or no permission on the server", 507
            ) from error

    def _run(self, collection_folder: Path, job: Job) -> dict[str, Any]:
        request = _read(collection_folder)
        if request.folder:
            self._link_images(collection_folder / "images", request.folder)
        run_collection(
            collection_folder / "images",
            collection_folder / "out",
            job,
            pairs=request.pairs,
            reconstruct=request.reconstruct,
            options={
                "preset": preset_source(request.preset, self._settings),
                "max_keypoints": request.max_keypoints,
                "resize": request.resize,
                "device": self._settings.device,
                "accept_license": self._settings.accept_license,
            },
        )
        self._write(collection_folder, replace(request, is_finished=True))
        shutil.rmtree(job.folder.parent, ignore_errors=True)
        return {}

    def _link_images(self, target: Path, folder: str) -> None:
        """Link the images of a folder below the root, which are checked again on every run."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in self._root.images(folder, self._settings.limits.max_images):
            real, link = self._root.image(name), target / name.rpartition("/")[2]
            try:
                link.symlink_to(real)
            except OSError:  # Windows without the right to create links
                shutil.copyfile(real, link)

    def _check_storage(self, size: int) -> None:
        stored = len(list(self.folder.iterdir())) if self.folder.is_dir() else 0
        if stored >= MAX_COLLECTIONS:
            raise RequestError(f"{stored} collections are stored already; remove one", 507)
        used = sum(file_sizes(self.folder))
        if used + size > self._settings.limits.max_storage_mb * 1e6:
            raise RequestError("the storage of the server is full; remove a collection", 507)

    def _collection_folder(self, collection_id: str) -> Path:
        collection_folder = self.folder / collection_id
        if not _ID.fullmatch(collection_id) or not (collection_folder / REQUEST).is_file():
            raise RequestError("there is no such collection; it may have been removed", 410)
        return collection_folder

    def _write(self, collection_folder: Path, request: CollectionRequest) -> None:
        values = {each.name: getattr(request, each.name) for each in fields(request)}
        write_json(values, collection_folder / REQUEST)


def _read(collection_folder: Path) -> CollectionRequest:
    try:
        values: Mapping[str, Any] = json.loads((collection_folder / REQUEST).read_text(encoding="utf-8"))
        return CollectionRequest(**values)
    except (OSError, ValueError, TypeError) as error:
        raise RequestError("the collection cannot be read; it is of another version", 410) from error


def _file_name(image: Upload) -> str:
    """Return a portable file name."""
    return re.sub(r"[^\w.-]", "_", image.name.rpartition("/")[2])[-80:]
