"""Files of a finished pair."""

import io
from pathlib import Path

import PIL.Image
from tests.helpers.app_server import Client
from tests.helpers.colored_dots import SIZE

from tiepoint.result import MatchResult


def test_files(client: Client, tmp_path: Path) -> None:
    job = client.finish(client.submit(verify="homography")["id"])
    base = f"/jobs/{job['id']}"
    viewer = client.get(f"{base}/viewer").json
    assert (len(viewer["matches"]), viewer["images"][0]["name"]) == (160, "0.png")
    path = tmp_path / "m.npz"
    path.write_bytes(client.get(f"{base}/matches.npz").body)
    assert len(MatchResult.load(path)) == 80
    values = client.get(f"{base}/matches.json")
    assert (values.json["image0"], values.json["estimate"]["kind"]) == ("0.png", "homography")
    assert "attachment" in {k.lower(): v for k, v in values.headers.items()}["content-disposition"]
    picture = PIL.Image.open(io.BytesIO(client.get(f"{base}/matches.png").body))
    assert picture.width >= 2 * SIZE[0]
    assert "TiepointViewer" in client.get(f"{base}/matches.html").body.decode()
    for name in ("matches.exe", "matches.npz?part=a", "viewer?part=../x"):
        found = client.get(f"{base}/{name}")
        assert found.status == (200 if "../" in name else 404)
    assert client.get("/jobs/unknown/matches.npz").status == 410


def test_a_drawing_needs_the_images(client: Client) -> None:
    job = client.submit()
    assert client.finish(job["id"])["state"] == "done"
    for upload in list(client.service.uploads._uploads):
        client.service.uploads.remove(upload)
    answer = client.get(f"/jobs/{job['id']}/matches.png")
    assert (answer.status, answer.json) == (
        410,
        {"error": "an image is no longer on the server; choose it again"},
    )
    assert client.get(f"/jobs/{job['id']}/matches.json").status == 200
