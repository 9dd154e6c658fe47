"""Collections: what is stored, who may run and remove it, and that it outlives the server."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.app_server import png

from tiepoint.app import collections
from tiepoint.app.collections import Collections
from tiepoint.app.jobs import Job
from tiepoint.app.messages import RequestError
from tiepoint.app.options import MatchSettings
from tiepoint.app.root import Root
from tiepoint.app.settings import AppSettings, Limits
from tiepoint.app.uploads import Uploads

MATCH = MatchSettings(preset="xfeat+lighterglue")


class Runs:
    """Replaces the run: remembers its arguments."""

    def __init__(self) -> None:
        self.images: list[list[str]] = []
        self.fail = False
        self.started, self.opened = threading.Event(), threading.Event()
        self.opened.set()

    def __call__(self, images: Path, out: Path, job: Job, **_: Any) -> None:
        self.images.append(sorted(path.name for path in images.iterdir()))
        out.mkdir(exist_ok=True)
        self.started.set()
        assert self.opened.wait(10)
        if self.fail:
            job.cancel()
        job.check()


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs()
    monkeypatch.setattr(collections, "run_collection", made)
    return made


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    (tmp_path / "uploads").mkdir()
    return Uploads(tmp_path / "uploads", Limits())


def create(tmp_path: Path, **limits: Any) -> Collections:
    root = tmp_path / "root"
    root.mkdir(exist_ok=True)
    settings = AppSettings(state=tmp_path / "state", root=root, limits=Limits(**limits))
    return Collections(settings, Root(root))


def finish(made: Collections, collection_id: str) -> str:
    assert made.start(collection_id).is_finished.wait(10)
    return made.status(collection_id)["state"]


def test_uploads_are_copied_and_run(runs: Runs, uploads: Uploads, tmp_path: Path) -> None:
    made = create(tmp_path)
    images = [uploads.add(png(np.full((9, 9), k, np.uint8)), f"ä {k}.png") for k in range(2)]
    collection_id = made.create(images, "", MATCH, pairs="exhaustive", reconstruct=False)
    assert made.status(collection_id)["state"] == "interrupted"
    assert finish(made, collection_id) == "done"
    assert runs.images == [["000-ä_0.png", "001-ä_1.png"]]
    made.close()
    again = create(tmp_path)
    assert again.status(collection_id)["state"] == "done"
    again.remove(collection_id)
    assert list((tmp_path / "state").iterdir()) == []
    with pytest.raises(RequestError, match="no such collection"):
        again.status(collection_id)
    again.close()


def test_a_canceled_run_is_resumed(runs: Runs, uploads: Uploads, tmp_path: Path) -> None:
    made = create(tmp_path)
    images = [uploads.add(png(np.full((9, 9), k, np.uint8)), "a.png") for k in range(2)]
    collection_id = made.create(images, "", MATCH, pairs="exhaustive", reconstruct=False)
    runs.fail = True
    assert finish(made, collection_id) == "canceled"
    runs.fail = False
    assert finish(made, collection_id) == "done"
    made.close()


def test_a_folder_is_linked_without_what_leads_out(runs: Runs, tmp_path: Path) -> None:
    made = create(tmp_path)
    for name in ("a.png", "b.png"):
        (tmp_path / "root" / name).write_bytes(b"x")
    (tmp_path / "secret.png").write_bytes(b"x")
    (tmp_path / "root" / "link.png").symlink_to(tmp_path / "secret.png")
    collection_id = made.create([], ".", MATCH, pairs="exhaustive", reconstruct=False)
    assert finish(made, collection_id) == "done"
    (tmp_path / "root" / "c.png").write_bytes(b"x")
    assert finish(made, collection_id) == "done"
    assert runs.images == [["a.png", "b.png"], ["a.png", "b.png", "c.png"]]
    for folder in ("..", "../state", "/etc"):
        with pytest.raises(RequestError, match="not found below the root"):
            made.create([], folder, MATCH, pairs="exhaustive", reconstruct=False)
    made.close()


@pytest.mark.parametrize("collection_id", ["", "..", "../../etc", "a" * 22, "x", "a/../b" * 5])
def test_unknown_ids(tmp_path: Path, collection_id: str) -> None:
    made = create(tmp_path)
    for call in (made.status, made.start, made.cancel, made.remove, made.out):
        with pytest.raises(RequestError, match="there is no such collection"):
            call(collection_id)
    made.close()


def test_storage_is_limited(runs: Runs, uploads: Uploads, tmp_path: Path) -> None:
    made = create(tmp_path, max_storage_mb=0.001)
    images = [uploads.add(png(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8)), "a.png")]
    with pytest.raises(RequestError, match="storage of the server is full"):
        made.create(images, "", MATCH, pairs="exhaustive", reconstruct=False)
    made.close()


def test_no_permission(uploads: Uploads, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, not a folder", encoding="utf-8")
    made = create(tmp_path)
    with pytest.raises(RequestError, match="no space or no permission") as error:
        made.create([], ".", MATCH, pairs="exhaustive", reconstruct=False) if (
            tmp_path / "root" / "a.png"
        ).write_bytes(b"x") else None
    assert str(tmp_path) not in str(error.value)
    made.close()


def test_another_version_is_refused(runs: Runs, tmp_path: Path) -> None:
    made = create(tmp_path)
    (tmp_path / "root" / "a.png").write_bytes(b"x")
    collection_id = made.create([], ".", MATCH, pairs="exhaustive", reconstruct=False)
    path = tmp_path / "state" / collection_id / "request.json"
    path.write_text(json.dumps({"unknown": 1}), encoding="utf-8")
    with pytest.raises(RequestError, match="of another version"):
        made.status(collection_id)
    made.close()


def create_two(made: Collections, root: Path) -> tuple[str, str]:
    """Create two collections of a folder, the first of which runs and the second of which waits."""
    (root / "a.png").write_bytes(b"x")
    ids = [made.create([], ".", MATCH, pairs="exhaustive", reconstruct=False) for _ in range(2)]
    for each in ids:
        made.start(each)
    return ids[0], ids[1]


def test_a_collection_canceled_in_the_queue_is_resumed(runs: Runs, tmp_path: Path) -> None:
    made = create(tmp_path)
    runs.opened.clear()
    _, waiting = create_two(made, tmp_path / "root")
    made.cancel(waiting)
    assert made.status(waiting)["state"] == "canceled"
    resumed = made.start(waiting)
    assert made.status(waiting)["state"] == "queued"
    runs.opened.set()
    assert resumed.is_finished.wait(10)
    assert made.status(waiting)["state"] == "done"
    made.close()


def test_a_waiting_collection_is_removed_at_once(runs: Runs, tmp_path: Path) -> None:
    made = create(tmp_path)
    runs.opened.clear()
    running, waiting = create_two(made, tmp_path / "root")
    made.remove(waiting)
    assert [path.name for path in (tmp_path / "state").iterdir()] == [running]
    runs.opened.set()
    made.close()


def test_removing_a_run_that_does_not_stop_blocks_no_other(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collections, "STOP_S", 0.5)
    made = create(tmp_path)
    runs.opened.clear()
    running, other = create_two(made, tmp_path / "root")
    assert runs.started.wait(10)
    errors: list[RequestError] = []

    def remove() -> None:
        try:
            made.remove(running)
        except RequestError as error:
            errors.append(error)

    removing = threading.Thread(target=remove)
    removing.start()
    made.cancel(other)
    made.start(other)
    assert removing.is_alive()
    removing.join(10)
    assert [error.status for error in errors] == [409]
    runs.opened.set()
    made.remove(running)
    with pytest.raises(RequestError, match="no such collection"):
        made.start(running)
    made.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_other_users_of_the_machine_can_read_neither_ids_nor_images(tmp_path: Path) -> None:
    made = create(tmp_path)
    (tmp_path / "root" / "a.png").write_bytes(b"x")
    collection_id = made.create([], ".", MATCH, pairs="exhaustive", reconstruct=False)
    folders = [tmp_path / "state", tmp_path / "state" / collection_id]
    assert [path.stat().st_mode & 0o777 for path in folders] == [0o700, 0o700]
    made.close()
