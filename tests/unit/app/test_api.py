"""The API: results of the package, parallel as serial, options, masks, errors in one line."""

import io
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.app_server import DOTS_OPTIONS, Client, dots_pair, pair_form, png, running_app
from tests.helpers.colored_dots import SHIFT, SIZE, dots, make_matcher

from tiepoint.app import api
from tiepoint.app.settings import AppSettings, Limits
from tiepoint.errors import WeightsError
from tiepoint.geometry.verification import VERIFIERS
from tiepoint.result import MatchResult


def without_times(answer: Any) -> str:
    return json.dumps({name: value for name, value in answer.items() if name != "seconds"}, sort_keys=True)


def test_matches_are_those_of_the_package(client: Client) -> None:
    answer = client.post_form("/api/match", pair_form())
    expected = make_matcher(None).match(dots(), dots(SHIFT))
    assert answer.status == 200
    for name in ("points0", "points1", "scores", "matches"):
        assert answer.json[name] == getattr(expected, name).tolist()
    assert answer.json["image0"] == "0.png"
    assert answer.json["verification"]["same_scene"] is True
    assert list(answer.json["seconds"]) == ["load_weights", "read", "extract", "match", "verify", "total"]


def test_an_answer_can_be_an_npz_file(client: Client, tmp_path: Path) -> None:
    answer = client.post_form("/api/match", pair_form(format="npz", verify="homography"))
    path = tmp_path / "result.npz"
    path.write_bytes(answer.body)
    assert len(MatchResult.load(path)) == 80
    estimate = MatchResult.load_estimate(path)
    assert estimate is not None
    assert estimate.kind == "homography"
    np.testing.assert_allclose(estimate.matrix[:2, 2], SHIFT, atol=0.01)


@pytest.mark.parametrize("kind", VERIFIERS)
def test_every_model_is_estimated(client: Client, kind: str) -> None:
    answer = client.post_form("/api/match", pair_form(verify=kind))
    assert answer.status == 200
    assert "reason" in answer.json["estimate"]
    job = client.finish(client.submit(verify=kind)["id"])
    assert job["state"] == "done", job["error"]


def test_eight_parallel_clients_get_the_results_of_serial_ones(client: Client) -> None:
    forms = [pair_form(seed) for seed in range(8)]
    serial = [without_times(client.post_form("/api/match", form).json) for form in forms]
    with ThreadPoolExecutor(8) as pool:
        parallel = list(pool.map(lambda form: client.post_form("/api/match", form), forms * 2))
    assert [without_times(answer.json) for answer in parallel] == serial * 2
    assert len(set(serial)) == 8


def test_the_server_opens_no_connection(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    connect = socket.socket.connect

    def watched(self: socket.socket, address: Any) -> None:
        opened.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    assert client.post_form("/api/match", pair_form()).status == 200
    assert client.get("/").status == 200
    assert opened == [("127.0.0.1", client.port)] * 2  # those of the client


def test_nothing_is_kept() -> None:
    with running_app() as client:
        folder = client.service.folder.path
        client.post_form("/api/match", pair_form())
        client.post_form("/api/extract", [("image", ("a.png", b"text"))])
        assert list((folder / "uploads").iterdir()) == []
        assert list((folder / "jobs").iterdir()) == []


def test_extract(client: Client) -> None:
    image0, _ = dots_pair()
    answer = client.post_form("/api/extract", [("image", ("a.png", image0)), *DOTS_OPTIONS.items()])
    expected = make_matcher(None).extract(dots())
    for name in ("keypoints", "scores", "descriptors"):
        assert answer.json[name] == getattr(expected, name).tolist()
    assert answer.json["image_size"] == list(SIZE)
    arrays = client.post_form(
        "/api/extract", [("image", ("a.png", image0)), ("format", "npz"), *DOTS_OPTIONS.items()]
    )
    with np.load(io.BytesIO(arrays.body)) as values:
        assert values["descriptors"].shape == (80, 6)


def test_masks(client: Client) -> None:
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[:, :140] = 255
    answer = client.post_form("/api/match", [*pair_form(), ("mask0", ("mask.png", png(mask)))])
    points = np.array(answer.json["keypoints0"])
    assert 10 < len(points) < 70
    assert points[:, 0].max() < 140
    wrong = client.post_form("/api/match", [*pair_form(), ("mask0", ("mask.png", png(mask[:100])))])
    assert (wrong.status, "mask0 must have the size of its image" in wrong.json["error"]) == (400, True)


def test_masks_have_the_pixel_limit_of_images() -> None:
    width, height = SIZE
    limits = Limits(max_megapixels=1.5 * width * height / 1e6)
    large = ("large.png", png(np.zeros((2 * height, width), np.uint8)))
    image: list[tuple[str, Any]] = [("image", ("a.png", dots_pair()[0])), *DOTS_OPTIONS.items()]
    with running_app(AppSettings(limits=limits)) as client:
        for path, form, name in (
            ("/api/match", pair_form(), "mask1"),
            ("/api/extract", image, "mask"),
        ):
            answer = client.post_form(path, [*form, (name, large)])
            assert answer.status == 400
            assert answer.json["error"].startswith(f"'{name}' has ")
            assert answer.json["error"].endswith("; resize it")


def test_the_form_is_closed_while_its_job_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    forms: list[Any] = []
    closed: list[bool] = []
    read = api.read_form

    async def remembered(*arguments: Any) -> Any:
        forms.append(await read(*arguments))
        return forms[-1]

    async def wait(request: Any, job: Any) -> None:
        closed.extend(part.file.closed for _, part in forms[0].multi_items() if not isinstance(part, str))
        await waiting(request, job)

    waiting = api.wait_for
    monkeypatch.setattr(api, "read_form", remembered)
    monkeypatch.setattr(api, "wait_for", wait)
    with running_app() as client:
        assert client.post_form("/api/match", pair_form()).status == 200
    assert closed == [True, True]


def test_a_failure_to_load_is_a_message(client: Client) -> None:
    def fail(preset: str, **_: Any) -> Any:
        raise WeightsError("cannot download weights; tried: cache /secret/weights: missing")

    def crash(preset: str, **_: Any) -> Any:
        raise RuntimeError("/secret")

    for load, status in ((fail, 503), (crash, 500)):
        with running_app(load=load) as failing:
            answer = failing.post_form("/api/match", pair_form())
            assert answer.status == status
            assert "secret" not in answer.body.decode()
            assert failing.get("/").status == 200


def test_lists(client: Client) -> None:
    presets = client.get("/api/presets").json
    assert presets[0]["name"] == "aliked+lightglue"
    assert presets[0]["available"]
    assert client.get("/api/limits").json["max_upload_mb"] == 50
