"""Ranking of images: files or a folder; unreadable ones are reported, and a search is canceled between images."""

from pathlib import Path

import numpy as np
from tests.helpers.app_server import DOTS_OPTIONS, Client, Part, png, running_app
from tests.helpers.colored_dots import SHIFT, dots

from tiepoint.app.settings import AppSettings


def test_find(client: Client) -> None:
    images = [png(dots(seed=1)), b"text", png(dots(SHIFT)), png(np.zeros((480, 640), np.uint8))]
    files: list[tuple[str, Part]] = [("images", (f"{k}.png", content)) for k, content in enumerate(images)]
    query: list[tuple[str, Part]] = [("query", ("q.png", png(dots()))), *DOTS_OPTIONS.items()]
    broken = client.post_form("/api/find", query + files)
    assert (broken.status, "'1.png' is not in a supported" in broken.json["error"]) == (400, True)
    del files[1]
    for views in ("none", "rotation"):
        answer = client.post_form("/api/find", [*query, *files, ("top", "2"), ("views", views)])
        assert answer.json["compared"] == 3
        assert len(answer.json["found"]) == 2
        first = answer.json["found"][0]
        assert (first["image"], first["same_scene"], first["matches"]) == ("2.png", True, 80)
    neither = client.post_form("/api/find", query)
    assert (neither.status, "either images (files) or folder" in neither.json["error"]) == (422, True)


def test_find_in_a_folder_below_the_root(tmp_path: Path) -> None:
    for name, content in {"a.png": png(dots(seed=1)), "b.png": png(dots(SHIFT)), "c.png": b"text"}.items():
        (tmp_path / name).write_bytes(content)
    with running_app(AppSettings(root=tmp_path)) as client:
        parts: list[tuple[str, Part]] = [("query_path", "a.png"), ("folder", "."), *DOTS_OPTIONS.items()]
        answer = client.post_form("/api/find", parts)
        assert [row["image"] for row in answer.json["found"]] == ["a.png", "b.png"]
        assert answer.json["problems"] == [answer.json["problems"][0]]
        assert answer.json["problems"][0].startswith("'c.png' is not in a supported image format")
        assert str(tmp_path) not in answer.body.decode()
        assert client.post_form("/api/find", [("query_path", "a.png"), ("folder", "../")]).status == 404
