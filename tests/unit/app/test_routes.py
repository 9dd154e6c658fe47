"""What the page uses: uploads, jobs, previews, files of results, folders."""

import io
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from tests.helpers.app_server import Client, dots_pair, load_dots, running_app
from tests.helpers.colored_dots import SIZE

from tiepoint.app import routes
from tiepoint.app.settings import AppSettings
from tiepoint.matcher import Matcher


@pytest.fixture(scope="module")
def job(client: Client) -> dict[str, Any]:
    return client.finish(client.submit(verify="homography")["id"])


def test_the_page(client: Client) -> None:
    page = client.get("/").body.decode()
    assert '<option value="aliked+lightglue"' in page
    assert "at most 50 MB" in page
    for name in ("app.js", "viewer.js", "style.css"):
        assert client.get(f"/static/{name}").status == 200
    assert client.get("/static/../settings.py").status == 404
    assert client.get("/static/%2e%2e%2fsettings.py").status == 404


def test_an_upload_has_a_preview(client: Client) -> None:
    upload = client.upload(dots_pair()[0])
    preview = client.get(f"/uploads/{upload}/preview")
    assert PIL.Image.open(io.BytesIO(preview.body)).size == SIZE
    assert client.send("DELETE", f"/uploads/{upload}").status == 200
    assert client.get(f"/uploads/{upload}/preview").status == 410


def test_a_bad_upload_is_a_message(client: Client) -> None:
    answer = client.send("POST", "/uploads?name=..%2Fa.jpg", b"text")
    assert answer.status == 400
    assert answer.json["error"].startswith("'a.jpg' is not in a supported image format")
    assert client.post_json("/uploads/from", {}).status == 422
    assert client.post_json("/uploads/from", {"url": "http://[::1]/"}).status == 403
    assert client.post_json("/uploads/from", [1]).status == 400


def test_a_job_has_numbers_and_words(job: dict[str, Any]) -> None:
    assert job["state"] == "done"
    result = job["result"]
    assert (result["matches"], result["keypoints"], result["same_scene"]) == (80, [80, 80], True)
    assert "inliers" in result["reason"]
    assert result["estimate"]["num_inliers"] == 80
    np.testing.assert_allclose(result["estimate"]["matrix"], [[1, 0, 9], [0, 1, 5], [0, 0, 1]], atol=0.01)


def test_two_users_at_once_get_their_own_results(client: Client) -> None:
    jobs = [client.submit(max_keypoints=count) for count in (20, 30, 40)]
    states = [client.finish(job["id"]) for job in jobs]
    assert [state["result"]["keypoints"][0] for state in states] == [20, 30, 40]


def test_a_job_is_canceled() -> None:
    started, opened = threading.Event(), threading.Event()

    def load(preset: str, **options: Any) -> Matcher:
        started.set()
        assert opened.wait(10)
        return load_dots(preset, **options)

    with running_app(load=load) as client:
        job = client.submit()["id"]
        waiting = client.submit()
        assert started.wait(10)
        assert client.get(f"/jobs/{job}").json["stage"] == "load weights"
        assert waiting["position"] == 1
        assert client.send("DELETE", f"/jobs/{waiting['id']}").json["state"] == "canceled"
        client.send("DELETE", f"/jobs/{job}")
        opened.set()
        assert client.finish(job)["state"] == "canceled"
        assert client.get(f"/jobs/{job}/viewer").status == 404


def test_invalid_jobs(client: Client) -> None:
    assert client.post_json("/jobs", {"kind": "x"}).status == 422
    assert client.post_json("/jobs", {"kind": "match", "image0": "x"}).status == 410
    assert client.send("POST", "/jobs", b"{").status == 400
    assert client.send("POST", "/jobs", b"[" * 100_000).status == 400
    assert client.send("POST", "/jobs", b" " * 1_100_000).status == 413
    assert client.get("/jobs/unknown").json == {"error": "the result is no longer on the server; start again"}


def test_folders_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").write_bytes(dots_pair()[0])
    with running_app(AppSettings(root=tmp_path)) as client:
        assert client.get("/folders").json == {"folders": ["sub"], "images": []}
        assert client.get("/folders?path=sub").json == {"folders": [], "images": ["a.png"]}
        assert client.get("/folders?path=../").status == 404
        added = client.post_json("/uploads/from", {"path": "sub/a.png"})
        assert (added.status, added.json["name"]) == (201, "sub/a.png")
        assert str(tmp_path) not in json.dumps(
            client.post_json("/uploads/from", {"path": str(tmp_path)}).json
        )


def test_cleaning_continues_after_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cleaned = threading.Semaphore(0)

    def fail() -> None:
        cleaned.release()
        raise OSError("disk")

    monkeypatch.setattr(routes, "CLEAN_UP_S", 0.01)
    with running_app() as client:
        monkeypatch.setattr(client.service.queue, "remove_old", fail)
        assert all(cleaned.acquire(timeout=10) for _ in range(3))
    assert "cannot remove unused files" in caplog.text
