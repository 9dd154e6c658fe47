"""The state of a server: its files go away, and a folder that cannot be created is one line."""

import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.app_server import png

from tiepoint.app.jobs import Job
from tiepoint.app.messages import RequestError
from tiepoint.app.service import Service
from tiepoint.app.settings import AppSettings, Limits
from tiepoint.errors import InvalidInput, TiepointError


def test_nothing_is_left() -> None:
    service = Service.create(AppSettings())
    service.uploads.add(png(np.zeros((9, 9), np.uint8)), "a.png")
    assert service.folder.path.is_dir()
    service.close()
    assert not service.folder.path.exists()


def test_results_count_as_stored() -> None:
    service = Service.create(AppSettings(limits=Limits(max_storage_mb=0.01)))

    def work(job: Job) -> dict[str, object]:
        (job.folder / "large").write_bytes(bytes(20_000))
        return {}

    assert service.submit("test", work).is_finished.wait(10)
    with pytest.raises(TiepointError, match="storage of the server is full"):
        service.uploads.add(png(np.zeros((9, 9), np.uint8)), "a.png")
    with pytest.raises(RequestError, match="storage of the server is full") as error:
        service.submit("test", work)
    assert error.value.status == 507
    service.close()


def test_images_of_a_waiting_job_do_not_expire() -> None:
    service = Service.create(AppSettings())
    opened = threading.Event()
    images = [service.uploads.add(png(np.full((9, 9), k, np.uint8)), "a.png") for k in range(2)]
    service.submit("test", lambda job: {"opened": opened.wait(10)})
    waiting = service.submit("test", lambda job: {}, images[:1])
    for image in images:
        image.last_used -= 2 * service.settings.limits.keep_s
    service.clean_up()
    assert service.uploads.get(images[0].id) is images[0]
    with pytest.raises(RequestError, match="no longer on the server"):
        service.uploads.get(images[1].id)
    opened.set()
    assert waiting.is_finished.wait(10)
    images[0].last_used -= 2 * service.settings.limits.keep_s
    service.clean_up()
    with pytest.raises(RequestError, match="no longer on the server"):
        service.uploads.get(images[0].id)
    service.close()


def test_no_permission(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(InvalidInput, match=r"cannot create a temporary folder: .*; set TMPDIR"):
        Service.create(AppSettings())
