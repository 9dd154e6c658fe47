"""Jobs of the page: a comparison, and a search."""

from pathlib import Path
from typing import Any

import pytest
from tests.helpers.app_server import DOTS_OPTIONS, Client, png, running_app
from tests.helpers.colored_dots import SHIFT, dots

from tiepoint.app.settings import AppSettings


def test_a_comparison_has_two_results(client: Client) -> None:
    options = DOTS_OPTIONS | {"max_keypoints": 20}, DOTS_OPTIONS | {"max_keypoints": 30}
    job = client.finish(client.submit(kind="compare", a=options[0], b=options[1])["id"])
    assert [job["result"][name]["keypoints"] for name in "ab"] == [[20, 20], [30, 30]]
    for part, count in (("a", 20), ("b", 30)):
        viewer = client.get(f"/jobs/{job['id']}/viewer?part={part}").json
        assert len(viewer["keypoints"][0]) == 2 * count
        assert client.get(f"/jobs/{job['id']}/matches.npz?part={part}").status == 200
    assert client.get(f"/jobs/{job['id']}/viewer").status == 404


def test_a_search_has_pictures_and_viewers(client: Client) -> None:
    query = client.upload(png(dots()), "q.png")
    images = [client.upload(png(dots(seed=1)), "other.png"), client.upload(png(dots(SHIFT)), "same.png")]
    values = {"kind": "find", "query": query, "images": images, "top": 1} | DOTS_OPTIONS
    job = client.finish(client.post_json("/jobs", values).json["id"])
    (found,) = job["result"]["found"]
    assert (found["image"], found["same_scene"], job["result"]["compared"]) == ("same.png", True, 2)
    assert found["picture"].startswith("data:image/jpeg;base64,")
    viewer = client.get(f"/jobs/{job['id']}/viewer?part=1").json
    assert [image["name"] for image in viewer["images"]] == ["q.png", "same.png"]


def test_a_search_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").write_bytes(png(dots(SHIFT)))
    with running_app(AppSettings(root=tmp_path)) as client:
        query = client.upload(png(dots()), "q.png")
        values = {"kind": "find", "query": query, "folder": "sub"} | DOTS_OPTIONS
        job = client.finish(client.post_json("/jobs", values).json["id"])
        assert [row["image"] for row in job["result"]["found"]] == ["sub/a.png"]


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "compare", "a": 1, "b": {}},
        {"kind": "find", "images": []},
        {"kind": "find", "images": "x"},
        {"kind": "find", "images": ["x"] * 201},
        {"kind": "find", "folder": 3},
    ],
)
def test_invalid_values(client: Client, values: dict[str, Any]) -> None:
    query = client.upload(png(dots()))
    answer = client.post_json("/jobs", {"query": query, "image0": query, "image1": query} | values)
    assert answer.status == 422
