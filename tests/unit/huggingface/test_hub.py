"""fetch and push_folder against a local server with the file API of the hub; no network."""

import hashlib
import http.server
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.huggingface import AutoImageProcessor, LightGlueImageProcessorFast
from tiepoint.huggingface.configuration.configs import LightGlueConfig
from tiepoint.huggingface.hub import fetch, push_folder

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = LightGlueConfig(num_hidden_layers=2).to_json_string().encode()
PROCESSOR = LightGlueImageProcessorFast(size={"height": 64, "width": 96}).to_json_string().encode()
TENSORS = bytes(range(256)) * 300


class Hub(http.server.BaseHTTPRequestHandler):
    """Repository someone/lightglue; other repositories answer with the errors of the hub."""

    requests: list[str]
    authorizations: list[str | None]
    commits: list[list[dict]]
    files: dict[str, bytes]
    announced: dict[str, str]
    cut: int

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.authorizations.append(self.headers["Authorization"])
        if self.path == "/api/repos/create":
            self.send_json({"url": f"http://{self.headers['Host']}/me/new", "name": "me/new"})
        elif "/preupload/" in self.path:
            paths = [file["path"] for file in json.loads(body)["files"]]
            self.send_json(
                {"files": [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in paths]}
            )
        elif self.authorizations[-1] == "Bearer readonly":
            self.send_refusal(403, "")
        else:
            self.commits.append([json.loads(line) for line in body.decode().splitlines()])
            self.send_json(
                {"commitOid": COMMIT, "commitUrl": f"http://{self.headers['Host']}/me/new/commit/{COMMIT}"}
            )

    def answer(self, with_body: bool) -> None:
        if "expand=xetEnabled" in self.path:  # huggingface_hub 0.30, before an upload
            self.send_json({"id": "me/new", "xetEnabled": False})
            return
        if "/resolve/" not in self.path:  # huggingface_hub requests other addresses too
            self.send_refusal(404, "")
            return
        self.requests.append(f"{self.command} {self.path}")
        self.authorizations.append(self.headers["Authorization"])
        owner, name, _, revision, filename = self.path.strip("/").split("/", 4)
        if f"{owner}/{name}" == "someone/gated":
            self.send_refusal(403, "GatedRepo")
        elif f"{owner}/{name}" == "someone/broken":
            self.send_refusal(400, "")
        elif f"{owner}/{name}" != "someone/lightglue":
            self.send_refusal(401, "RepoNotFound")
        elif revision not in ("main", COMMIT):
            self.send_refusal(404, "RevisionNotFound")
        elif filename not in self.files:
            self.send_refusal(404, "EntryNotFound")
        else:
            self.send_file(filename, with_body)

    def send_file(self, filename: str, with_body: bool) -> None:
        body = self.files[filename]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{self.announced[filename]}"')
        self.end_headers()
        if with_body:
            self.wfile.write(body[: self.cut])

    def send_refusal(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_json(self, values: dict) -> None:
        body = json.dumps(values).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def digests(files: dict[str, bytes]) -> dict[str, str]:
    """Return the announced digests: SHA-256 of large files, SHA-1 of a git blob for small ones."""
    return {
        name: hashlib.sha256(body).hexdigest()
        if name.endswith(".safetensors")
        else hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
        for name, body in files.items()
    }


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    files = {"config.json": CONFIG, "preprocessor_config.json": PROCESSOR, "model.safetensors": TENSORS}
    state = {"files": files, "announced": digests(files), "cut": 10**9}
    handler = type("Handler", (Hub,), state | {"requests": [], "authorizations": [], "commits": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # huggingface_hub waits before a retry
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}/")
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def upload_hub(hub: type[Hub], monkeypatch: pytest.MonkeyPatch) -> type[Hub]:
    """The hub; huggingface_hub 0.30 interprets the answer to an upload with the address that it read at import."""
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", os.environ["HF_ENDPOINT"].rstrip("/"))
    return hub


def get(filename: str, cache: Path, name: str = "someone/lightglue", **options) -> Path:
    return fetch(name, filename, cache_dir=cache, token=False, **options)


def test_files_are_downloaded_once_and_then_read_from_the_cache(hub, tmp_path):
    for _ in range(2):
        assert get("model.safetensors", tmp_path).read_bytes() == TENSORS
        assert get("config.json", tmp_path).read_bytes() == CONFIG
    assert sum(request.startswith("GET") for request in hub.requests) == 2
    assert set(hub.authorizations) == {None}


def test_revision_and_token_are_sent(hub, tmp_path):
    path = fetch("someone/lightglue", "config.json", cache_dir=tmp_path, token="secret", revision=COMMIT)
    assert path.read_bytes() == CONFIG
    assert set(hub.authorizations) == {"Bearer secret"}
    assert all(f"/resolve/{COMMIT}/" in request for request in hub.requests)


def test_config_and_processor_load_from_the_hub(hub, tmp_path):
    config = LightGlueConfig.from_pretrained("someone/lightglue", cache_dir=tmp_path, token=False)
    assert config.num_hidden_layers == 2
    processor = AutoImageProcessor.from_pretrained("someone/lightglue", cache_dir=tmp_path, token=False)
    assert processor.size == {"height": 64, "width": 96}


def test_local_folder_takes_precedence(hub, tmp_path, monkeypatch):
    (tmp_path / "someone" / "lightglue").mkdir(parents=True)
    (tmp_path / "someone" / "lightglue" / "config.json").write_bytes(b"{}")
    monkeypatch.chdir(tmp_path)
    assert fetch("someone/lightglue", "config.json").read_bytes() == b"{}"
    with pytest.raises(WeightsError, match=r"model\.safetensors not found .*config\.json"):
        fetch("someone/lightglue", "model.safetensors")
    assert hub.requests == []


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"name": "someone/else"}, "'someone/else' is neither a local folder nor an accessible repository"),
        (
            {"name": "someone/gated"},
            "'someone/gated' is restricted",
        ),
        ({"revision": "v9"}, "has no revision 'v9'"),
        ({"filename": "tokenizer.json"}, "tokenizer.json not found .* revision 'main'"),
        ({"name": "someone/broken"}, "the hub cannot be reached .HTTP 400"),
    ],
)
def test_errors_of_the_hub_become_one_line(hub, tmp_path, request_, message):
    with pytest.raises(WeightsError, match=message) as caught:
        get(**{"filename": "config.json", "cache": tmp_path} | request_)
    assert isinstance(caught.value, OSError)  # as in transformers
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a/b/c", "./missing", "with space/x"])
def test_invalid_repository_names_are_rejected(tmp_path, name):
    with pytest.raises(InvalidInput, match="is neither a local folder nor a valid repository name") as caught:
        get("config.json", tmp_path, name=name)
    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize("disabled_by", ["local_files_only", "TIEPOINT_OFFLINE"])
def test_offline_only_the_cache_is_used(hub, tmp_path, monkeypatch, disabled_by):
    get("config.json", tmp_path)
    num_requests = len(hub.requests)
    if disabled_by == "TIEPOINT_OFFLINE":
        monkeypatch.setenv("TIEPOINT_OFFLINE", "1")
    options = {"local_files_only": disabled_by == "local_files_only"}
    assert get("config.json", tmp_path, **options).read_bytes() == CONFIG
    with pytest.raises(WeightsError, match=f"{disabled_by} disables downloads"):
        get("model.safetensors", tmp_path, **options)
    assert len(hub.requests) == num_requests


def test_without_a_network_cached_files_are_used_and_others_fail_in_one_line(hub, tmp_path, monkeypatch):
    get("config.json", tmp_path)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert get("config.json", tmp_path).read_bytes() == CONFIG
        with pytest.raises(WeightsError, match="not in the cache and the hub cannot be reached") as caught:
            get("model.safetensors", tmp_path)
    assert "\n" not in str(caught.value)


def test_interrupted_download_can_be_repeated(hub, tmp_path):
    hub.cut = 1000
    with pytest.raises(WeightsError, match=r"cannot download model.safetensors"):
        get("model.safetensors", tmp_path)
    hub.cut = 10**9
    assert get("model.safetensors", tmp_path).read_bytes() == TENSORS


@pytest.mark.parametrize("filename", ["model.safetensors", "config.json"])
def test_file_with_wrong_digest_is_rejected_and_deleted(hub, tmp_path, filename):
    good = hub.files[filename]
    hub.files[filename] = good[:-1] + b"!"
    with pytest.raises(WeightsError, match="is corrupted: its digest differs"):
        get(filename, tmp_path)
    hub.files[filename] = good
    assert get(filename, tmp_path).read_bytes() == good


def test_corruption_in_the_cache_is_detected(hub, tmp_path):
    get("model.safetensors", tmp_path).resolve().write_bytes(b"x" * len(TENSORS))
    with pytest.raises(WeightsError, match="is corrupted"):
        get("model.safetensors", tmp_path)
    assert get("model.safetensors", tmp_path).read_bytes() == TENSORS


def test_push_folder(upload_hub, tmp_path):
    LightGlueConfig().save_pretrained(tmp_path)
    address = push_folder(tmp_path, "me/new", token="writer", commit_message="A test")
    assert address.endswith(COMMIT)
    (header, file) = upload_hub.commits[0]
    assert header["value"]["summary"] == "A test"
    assert file["value"]["path"] == "config.json"
    assert set(upload_hub.authorizations) == {"Bearer writer"}


def test_push_configuration(upload_hub):
    assert LightGlueConfig().push_to_hub("me/new", token="writer").endswith(COMMIT)
    assert [entry["value"].get("path") for entry in upload_hub.commits[0]] == [None, "config.json"]


def test_push_errors_are_one_line(hub, tmp_path, monkeypatch):
    LightGlueConfig().save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=r"cannot push to 'me/new' \(.*403") as caught:
        push_folder(tmp_path, "me/new", token="readonly")
    assert "\n" not in str(caught.value)
    with pytest.raises(InvalidInput, match="not a folder"):
        push_folder(tmp_path / "missing", "me/new", token="writer")
    monkeypatch.setenv("TIEPOINT_OFFLINE", "1")
    with pytest.raises(WeightsError, match="TIEPOINT_OFFLINE is set"):
        push_folder(tmp_path, "me/new", token="writer")
