"""Requests of the tab Collection."""

import threading
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.app_server import Client, png, running_app
from tests.helpers.colored_dots import SHIFT, dots

from tiepoint.app import collections, models
from tiepoint.app.jobs import Job
from tiepoint.app.settings import AppSettings


def fake_run(images: Path, out: Path, job: Job, **_: Any) -> None:
    out.mkdir(exist_ok=True)
    (out / "report.json").write_text('{"images": 2}', encoding="utf-8")
    (out / "report.html").write_text(f"<p>{images}</p>", encoding="utf-8")


def create(client: Client, **values: Any) -> dict[str, Any]:
    images = [client.upload(png(dots())), client.upload(png(dots(SHIFT)))]
    answer = client.post_json("/collections", {"images": images} | values)
    assert answer.status == 202, answer.body
    return answer.json


def test_a_collection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(collections, "run_collection", fake_run)
    with running_app(AppSettings(state=tmp_path)) as client:
        path = f"/collections/{create(client)['id']}"
        for _ in range(500):
            state = client.get(path).json
            if state["state"] == "done":
                break
        assert (state["result"]["images"], state["request"]["pairs"]) == (2, "exhaustive")
        page = client.get(f"{path}/report.html")
        assert page.body == b"<p>images</p>"
        policy = {name.lower(): value for name, value in page.headers.items()}["content-security-policy"]
        assert policy.startswith("sandbox allow-scripts;")
        assert client.get(f"{path}/model.zip").status == 404
        assert client.send("POST", f"{path}/run").status == 202
        assert client.send("DELETE", path).status == 200
        assert client.send("POST", f"{path}/remove").status == 200
        assert client.get(path).status == 410


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"images": ["a"]},
        {"images": "ab"},
        {"images": ["a"], "folder": "b"},
        {"folder": 3},
        {"images": ["a"] * 201},
    ],
)
def test_invalid_values(client: Client, values: dict[str, Any]) -> None:
    assert client.post_json("/collections", values).status == 422


def test_invalid_options(client: Client) -> None:
    images = [client.upload(png(dots())), client.upload(png(dots(SHIFT)))]
    for options in ({"pairs": "list:/etc/passwd"}, {"reconstruct": "maybe"}, {"preset": "/etc"}):
        assert client.post_json("/collections", {"images": images} | options).status == 422


def test_weights_are_not_downloaded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_is_on_disk", lambda weights: False)
    images = [client.upload(png(dots())), client.upload(png(dots(SHIFT)))]
    answer = client.post_json("/collections", {"images": images, "preset": "disk+lightglue"})
    assert (answer.status, "tiepoint weights download disk" in answer.json["error"]) == (503, True)


def test_a_refused_collection_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened = threading.Event()
    monkeypatch.setattr(collections, "run_collection", lambda *_, **__: opened.wait(10))
    with running_app(AppSettings(state=tmp_path)) as client:
        images = [client.upload(png(dots())), client.upload(png(dots(SHIFT)))]
        statuses = []
        while 503 not in statuses and len(statuses) < collections.MAX_WAITING + 3:
            statuses.append(client.post_json("/collections", {"images": images}).status)
        assert statuses[-1] == 503
        assert len(list(tmp_path.iterdir())) == len(statuses) - 1
        opened.set()
