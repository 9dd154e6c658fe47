"""Both programs of the documentation page of transformers' LightGlue, with a local hub, and its errors.

The hub is a local server with the file API that huggingface_hub uses: small files by a redirect to a cache, large ones
by a redirect to a content network, with digests and sizes in the headers. It has a repository like that of ETH-CVG,
written by transformers from random weights, a private repository, and the images.
"""

import base64
import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch
import transformers
from safetensors.torch import load as load_tensors
from tests.helpers.paths import SOURCE
from tests.helpers.random_networks import full_config, random_model, tiny_config

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.huggingface import (
    AutoImageProcessor,
    AutoModelForKeypointMatching,
    LightGlueForKeypointMatching,
    LightGlueImageProcessor,
    pipeline,
    to_transformers,
)

pytestmark = pytest.mark.real

REPOSITORY = "ETH-CVG/lightglue_superpoint"
PRIVATE = "someone/private"
COMMIT, OLD_COMMIT = "5" * 40, "4" * 40
TOKEN = "hf_reader"
PHOTOS = (
    "united_states_capitol_98169888_3347710852.jpg",
    "united_states_capitol_26757027_6717084061.jpg",
)

Files = dict[str, bytes]


class Hub(http.server.BaseHTTPRequestHandler):
    """Handler with the file API of the hub; subclasses define its content."""

    repositories: dict[str, dict[str, Files]]
    """Repository name -> revision -> files."""
    photos: Files
    requests: list[str]
    pushed: Files
    cut: int
    """Number of bytes after which the transfer of a file is interrupted."""
    corrupted: bool

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.refuse(401, "")
        elif self.path == "/api/repos/create":
            self.send_json({"url": f"{self.address}/me/new", "name": "me/new"})
        elif "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            files = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]
            self.send_json({"files": files})
        else:
            self.keep([json.loads(line) for line in body.splitlines()])
            self.send_json({"commitOid": COMMIT, "commitUrl": f"{self.address}/me/new/commit/{COMMIT}"})

    @property
    def address(self) -> str:
        return f"http://{self.headers['Host']}"

    def keep(self, commit: list[dict[str, Any]]) -> None:
        for entry in commit:
            if entry["key"] == "file":
                self.pushed[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])

    def answer(self) -> None:
        self.requests.append(f"{self.command} {self.path}")
        first, *rest = self.path.strip("/").split("/")
        if first == "photos":
            self.send_bytes(self.photos[rest[0]], {})
        elif first == "content":
            self.send_bytes(self.large(rest[0]), {})
        elif self.path.startswith("/api/resolve-cache/"):
            self.answer_file("/".join(rest[2:4]), *rest[4:6], redirect=False)
        elif rest[1:2] == ["resolve"]:
            self.answer_file(f"{first}/{rest[0]}", *rest[2:4], redirect=True)
        else:
            self.refuse(404, "")

    def answer_file(self, repository: str, revision: str, filename: str, redirect: bool) -> None:
        """Send a file of a repository, or the error of the hub."""
        hidden = repository == PRIVATE and self.headers["Authorization"] != f"Bearer {TOKEN}"
        revisions = self.repositories.get(repository, {})
        if hidden or not revisions:
            self.refuse(401, "RepoNotFound")  # the hub does not reveal whether a private repository exists
        elif revision not in revisions:
            self.refuse(404, "RevisionNotFound")
        elif filename not in revisions[revision]:
            self.refuse(404, "EntryNotFound")
        else:
            self.send_file(repository, revision, filename, redirect)

    def send_file(self, repository: str, revision: str, filename: str, redirect: bool) -> None:
        content = self.repositories[repository][revision][filename]
        headers = {"X-Repo-Commit": OLD_COMMIT if revision in ("v1", OLD_COMMIT) else COMMIT}
        if filename.endswith(".safetensors"):
            digest = hashlib.sha256(content).hexdigest()
            headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
            elsewhere = self.address.replace("127.0.0.1", "localhost")
            self.send(302, b"", headers | {"Location": f"{elsewhere}/content/{digest}"})
            return
        digest = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        headers |= {"ETag": f'"{digest}"'}
        if redirect:
            place = f"/api/resolve-cache/models/{repository}/{revision}/{filename}"
            self.send(307, b"", headers | {"Location": place})
        else:
            self.send_bytes(content, headers)

    def large(self, digest: str) -> bytes:
        contents = [
            content
            for revisions in self.repositories.values()
            for files in revisions.values()
            for content in files.values()
        ]
        content = next(c for c in contents if hashlib.sha256(c).hexdigest() == digest)
        return content[:-1] + bytes([content[-1] ^ 1]) if self.corrupted else content

    def send_bytes(self, content: bytes, headers: dict[str, str]) -> None:
        self.send(200, content, headers)

    def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[: self.cut])

    def send_json(self, values: dict[str, Any]) -> None:
        content = json.dumps(values).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def refuse(self, status: int, code: str) -> None:
        self.send(status, b"", {"X-Error-Code": code})

    def log_message(self, *_: object) -> None:
        pass


def files_of(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def saved_by_transformers(model: LightGlueForKeypointMatching, folder: Path) -> Files:
    to_transformers(model).save_pretrained(folder)
    transformers.LightGlueImageProcessor().save_pretrained(folder)
    return files_of(folder)


@pytest.fixture(scope="module")
def photos(shared_data: Path) -> Files:
    folder = shared_data / "superglue_assets" / "phototourism_sample_images"
    return {name: (folder / name).read_bytes() for name in PHOTOS}


@pytest.fixture(scope="module")
def published(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as a folder: full size, with weights that accept every mutual nearest neighbor as a match."""
    photo = shared_data / "superglue_assets" / "phototourism_sample_images" / PHOTOS[0]
    pixels = LightGlueImageProcessor()([photo, photo], return_tensors="pt").pixel_values[0, 0]
    model = random_model(full_config(max_keypoints=512, depth_confidence=1.0), pixels, similarity=1000.0)
    folder = tmp_path_factory.mktemp("published")
    assert {"config.json", "preprocessor_config.json", "model.safetensors"} <= set(
        saved_by_transformers(model, folder)
    )
    return folder


@pytest.fixture(scope="module")
def tiny_files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A small model in the same form, for tests that do not depend on its size."""
    return saved_by_transformers(random_model(tiny_config()), tmp_path_factory.mktemp("tiny"))


def serve(monkeypatch: pytest.MonkeyPatch, **state: Any) -> Iterator[type[Hub]]:
    state = {"cut": 10**9, "corrupted": False, "photos": {}, "requests": [], "pushed": {}} | state
    handler = type("Handler", (Hub,), state)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # huggingface_hub waits before a retry
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def hub(tiny_files: Files, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    old = tiny_files | {"config.json": tiny_files["config.json"].replace(b"0.95", b"0.85")}
    revisions = {"main": tiny_files, COMMIT: tiny_files, "v1": old, OLD_COMMIT: old}
    yield from serve(monkeypatch, repositories={REPOSITORY: revisions, PRIVATE: {"main": tiny_files}})


@pytest.fixture
def full_hub(published: Path, photos: Files, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    files = files_of(published)
    yield from serve(monkeypatch, repositories={REPOSITORY: {"main": files, COMMIT: files}}, photos=photos)


def load(cache: Path, name: str = REPOSITORY, **options: Any) -> LightGlueForKeypointMatching:
    return AutoModelForKeypointMatching.from_pretrained(
        name, **{"cache_dir": cache, "token": False} | options
    )


# --- The two programs ---

FIRST = """
from tiepoint import pipeline                       # transformers -> tiepoint
matcher = pipeline(task="keypoint-matching", model="ETH-CVG/lightglue_superpoint", dtype="auto")
result = matcher(["{url_0}", "{url_1}"], threshold=0.9)
"""

SECOND = """
import torch
import urllib.request
from PIL import Image
from tiepoint import AutoImageProcessor, AutoModelForKeypointMatching
image1 = Image.open(urllib.request.urlopen("{url_0}"))
image2 = Image.open(urllib.request.urlopen("{url_1}"))
images = [image1, image2]                           # PIL
processor = AutoImageProcessor.from_pretrained("ETH-CVG/lightglue_superpoint")
model = AutoModelForKeypointMatching.from_pretrained("ETH-CVG/lightglue_superpoint", dtype="auto")
inputs = processor(images, return_tensors="pt")
with torch.inference_mode():
    outputs = model(**inputs)
image_sizes = [[(image.height, image.width) for image in images]]
processed_outputs = processor.post_process_keypoint_matching(outputs, image_sizes, threshold=0.2)
for i, output in enumerate(processed_outputs):
    for keypoint0, keypoint1, matching_score in zip(output["keypoints0"], output["keypoints1"], output["matching_scores"]):
        print(keypoint0.numpy(), keypoint1.numpy(), matching_score)
visualized_images = processor.visualize_keypoint_matching(images, processed_outputs)
"""


def run(program: str, home: Path, last: str) -> str:
    """Return the output of a new Python process for the program and one more line."""
    endpoint = os.environ["HF_ENDPOINT"]
    urls = {f"url_{k}": f"{endpoint}/photos/{name}" for k, name in enumerate(PHOTOS)}
    text = re.sub(r"\{(url_\d)\}", lambda found: urls[found[1]], program) + textwrap.dedent(last)
    environment = os.environ | {
        "HF_HOME": str(home),
        "PYTHONPATH": str(SOURCE),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def expected(published: Path, photos: Files, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """Matches with a score above 0.2, from the folder and the image files, without the hub."""
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / name for name in PHOTOS]
    for path in paths:
        path.write_bytes(photos[path.name])
    return pipeline(model=published)(paths, threshold=0.2)


def test_the_pipeline_program(full_hub, expected, tmp_path):
    printed = run(FIRST, tmp_path, "import json; print(json.dumps(result))")
    result = json.loads(printed)
    confident = [match for match in expected if match["score"] > 0.9]
    assert len(result) == len(confident) > 2
    for match, other in zip(result, confident, strict=True):
        assert match["score"] == pytest.approx(other["score"], abs=1e-3)
        assert match["keypoint_image_0"].keys() == {"x", "y"}
    got = [request for request in full_hub.requests if request.startswith("GET /photos")]
    assert got == [f"GET /photos/{name}" for name in PHOTOS]


def test_the_model_and_processor_program(full_hub, expected, tmp_path):
    picture = tmp_path / "picture.png"
    printed = run(SECOND, tmp_path / "home", f"visualized_images[0].save({str(picture)!r})")
    lines = printed.splitlines()
    assert len(lines) == len(expected) > 20
    assert all(re.fullmatch(r"\[ *\S+ +\S+ *\] \[ *\S+ +\S+ *\] tensor\(0\.\d+\)", line) for line in lines)
    with PIL.Image.open(picture) as drawn:
        assert drawn.size == (1016 + 1048, 762)


# --- Files and tensors ---


def test_tensors_saved_by_transformers_are_loaded(hub, tiny_files, tmp_path):
    model = load(tmp_path)
    state, expected = model.hub_state_dict(), load_tensors(tiny_files["model.safetensors"])
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in expected.items())
    processor = AutoImageProcessor.from_pretrained(REPOSITORY, cache_dir=tmp_path, token=False)
    assert processor.size == {"height": 480, "width": 640}


def test_large_files_are_downloaded_once(hub, tmp_path):
    for _ in range(2):
        load(tmp_path)
    assert sum(request.startswith("GET /content/") for request in hub.requests) == 1


def test_revision_is_a_branch_or_a_commit(hub, tmp_path):
    for revision, depth in (("main", 0.95), ("v1", 0.85), (OLD_COMMIT, 0.85), (None, 0.95)):
        assert load(tmp_path, revision=revision).config.depth_confidence == depth


def test_private_repository_requires_a_token(hub, tmp_path):
    with pytest.raises(WeightsError, match="pass token= if it is private"):
        load(tmp_path, name=PRIVATE)
    assert load(tmp_path, name=PRIVATE, token=TOKEN).config.num_hidden_layers == 3
    matcher = pipeline(model=PRIVATE, token=TOKEN, cache_dir=tmp_path)
    assert matcher.image_processor.size == {"height": 480, "width": 640}


# --- Errors ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "ETH-CVG/nothing"}, "neither a local folder nor an accessible repository"),
        ({"revision": "v9"}, "has no revision 'v9'"),
    ],
)
def test_missing_repository_and_revision(hub, tmp_path, options, message):
    with pytest.raises(WeightsError, match=message) as caught:
        load(tmp_path, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_file_is_named(hub, tmp_path, name):
    files = {n: content for n, content in hub.repositories[REPOSITORY]["main"].items() if n != name}
    hub.repositories = {REPOSITORY: {"main": files}}
    with pytest.raises(WeightsError, match=f"{re.escape(name)} not found .* revision 'main'"):
        load(tmp_path)


def test_invalid_repository_name_is_rejected(tmp_path):
    with pytest.raises(InvalidInput, match="neither a local folder nor a valid repository name"):
        load(tmp_path, name="a/b/c")


def test_interrupted_download_can_be_repeated(hub, tmp_path):
    hub.cut = 50_000
    with pytest.raises(WeightsError, match=r"model\.safetensors") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
    hub.cut = 10**9
    assert load(tmp_path).config.num_hidden_layers == 3


def test_file_with_wrong_digest_is_rejected(hub, tmp_path):
    hub.corrupted = True
    with pytest.raises(WeightsError, match="is corrupted: its digest differs"):
        load(tmp_path)
    hub.corrupted = False
    assert load(tmp_path).config.num_hidden_layers == 3


@pytest.mark.parametrize("how", ["local_files_only", "TIEPOINT_OFFLINE"])
def test_offline_only_the_cache_is_used(hub, tmp_path, monkeypatch, how):
    options = {"local_files_only": how == "local_files_only"}
    if how == "TIEPOINT_OFFLINE":
        monkeypatch.setenv(how, "1")
    with pytest.raises(WeightsError, match=f"{how} disables downloads"):
        load(tmp_path, **options)
    assert hub.requests == []
    monkeypatch.delenv("TIEPOINT_OFFLINE", raising=False)
    expected = load(tmp_path)
    if how == "TIEPOINT_OFFLINE":
        monkeypatch.setenv(how, "1")
    num_requests = len(hub.requests)
    assert torch.equal(load(tmp_path, **options).matcher.posenc.Wr.weight, expected.matcher.posenc.Wr.weight)
    assert len(hub.requests) == num_requests


def test_without_a_network_the_cache_is_used(hub, tmp_path, monkeypatch):
    load(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert load(tmp_path).config.num_hidden_layers == 3
    with pytest.raises(WeightsError, match="not in the cache and the hub cannot be reached") as caught:
        load(tmp_path / "empty")
    assert "\n" not in str(caught.value)


# --- Pushing ---


def test_push_model_and_processor(hub, tmp_path):
    model = random_model(tiny_config())
    assert model.push_to_hub("me/new", token=TOKEN).endswith(f"/me/new/commit/{COMMIT}")
    LightGlueImageProcessor().push_to_hub("me/new", token=TOKEN)
    assert hub.pushed.keys() == {"config.json", "model.safetensors", "preprocessor_config.json"}
    hub.repositories = {"me/new": {"main": hub.pushed}}
    state, expected = load(tmp_path, name="me/new").state_dict(), model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in expected.items())


def test_save_pretrained_can_push(hub, tmp_path):
    random_model(tiny_config()).save_pretrained(tmp_path, push_to_hub=True, repo_id="me/new", token=TOKEN)
    assert hub.pushed == files_of(tmp_path)


def test_push_without_permission_fails(hub):
    with pytest.raises(WeightsError, match="cannot push to 'me/new'") as caught:
        random_model(tiny_config()).push_to_hub("me/new", token="hf_unauthorized")
    assert "\n" not in str(caught.value)
