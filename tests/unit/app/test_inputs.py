"""Images of requests: files, URLs and paths; what is no image is one line."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.helpers.app_server import DOTS_OPTIONS, Client, Part, dots_pair, pair_form, running_app

from tiepoint.app import guard
from tiepoint.app.routes import MAX_FORMS
from tiepoint.app.service import MAX_READING
from tiepoint.app.settings import AppSettings, Limits
from tiepoint.app.uploads import Upload


@pytest.mark.parametrize(
    ("parts", "status", "message"),
    [
        ([], 422, "expected one of image0 (a file), image0_url and image0_path, got 0"),
        ([("image0", "text")], 422, "image0: expected a file"),
        ([("image0", ("a.jpg", b""))], 400, "'a.jpg' is empty"),
        ([("image0", ("a.jpg", b"hello there"))], 400, "'a.jpg' is not in a supported image format"),
        ([("image0_url", "http://127.0.0.1:9/a.jpg")], 403, "private or loopback"),
        ([("image0_url", "file:///etc/passwd")], 400, "unsupported URL scheme"),
        ([("image0_path", "/etc/passwd")], 404, "this server reads no folder"),
        (pair_form(preset="x"), 422, "unknown preset 'x'"),
        (pair_form(verify="x"), 422, "verify: expected one of none, "),
        (pair_form(format="x"), 422, "format: expected one of json, npz"),
    ],
)
def test_errors(client: Client, parts: list[tuple[str, Part]], status: int, message: str) -> None:
    answer = client.post_form("/api/match", parts)
    assert answer.status == status
    assert message in answer.json["error"]
    assert "\n" not in answer.json["error"]


def test_broken_requests(client: Client) -> None:
    assert client.post_json("/api/match", {}).status == 415
    broken = client.send("POST", "/api/match", b"x", {"Content-Type": "multipart/form-data; boundary=y"})
    assert broken.status in (400, 422)
    assert client.get("/api/match").status == 405
    assert client.get("/missing").json == {"error": "Not Found"}


def test_images_below_the_root(tmp_path: Path) -> None:
    for name, content in zip(("a.png", "b.png"), dots_pair(), strict=True):
        (tmp_path / name).write_bytes(content)
    with running_app(AppSettings(root=tmp_path)) as client:
        parts: list[tuple[str, Part]] = [
            ("image0_path", "a.png"),
            ("image1_path", "b.png"),
            *DOTS_OPTIONS.items(),
        ]
        answer = client.post_form("/api/match", parts)
        assert (answer.status, len(answer.json["matches"]), answer.json["image0"]) == (200, 80, "a.png")
        assert str(tmp_path) not in answer.body.decode()
        assert (tmp_path / "a.png").is_file()


def test_files_are_limited() -> None:
    with running_app(AppSettings(limits=Limits(max_upload_mb=0.01, max_images=2))) as client:
        large: list[tuple[str, Part]] = [("image", ("large.png", bytes(20_000)))]
        answer = client.post_form("/api/extract", large)
        assert (answer.status, "'large.png' exceeds the limit of 0.01 MB" in answer.json["error"]) == (
            413,
            True,
        )
        answer = client.send("POST", "/uploads", bytes(20_000))
        assert (answer.status, "exceeds the limit of 0.01 MB" in answer.json["error"]) == (413, True)
        many: list[tuple[str, Part]] = [("images", ("a.png", b"x"))] * 20
        assert client.post_form("/api/find", many).status == 400
        fields: list[tuple[str, Part]] = [(f"option{k}", "x") for k in range(100)]
        assert client.post_form("/api/find", fields).status == 400
        long: list[tuple[str, Part]] = [("preset", "x" * 200_000)]
        assert client.post_form("/api/find", long).status == 400


def test_all_requests_share_the_bound_of_images_that_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, most = [0], [0]
    lock = threading.Lock()
    with running_app() as client:
        add = client.service.uploads.add

        def counted(content: bytes, name: str) -> Upload:
            with lock:
                counts[0] += 1
                most[0] = max(most[0], counts[0])
            time.sleep(0.05)
            with lock:
                counts[0] -= 1
            return add(content, name)

        monkeypatch.setattr(client.service.uploads, "add", counted)
        with ThreadPoolExecutor(12) as pool:
            forms = [
                pool.submit(client.post_form, "/api/extract", [("image", ("a", b"x"))]) for _ in range(6)
            ]
            uploads = [pool.submit(client.send, "POST", "/uploads", b"x") for _ in range(6)]
            assert {answer.result().status for answer in (*forms, *uploads)} == {400}
    assert 1 < most[0] <= MAX_READING


def test_slow_clients_do_not_block_uploads(client: Client) -> None:
    with ExitStack() as stack:
        for _ in range(2 * MAX_READING):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", client.port)))
            slow.sendall(b"POST /uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx")
        assert client.upload(dots_pair()[0])


@pytest.mark.slow
def test_slow_forms_give_way(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "UPLOAD_GRACE_S", 0.5)
    head = (
        b"POST /api/extract HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    )
    with ExitStack() as stack:
        for _ in range(2 * MAX_FORMS):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", client.port)))
            slow.sendall(head)
        answer = client.post_form("/api/extract", [("image", ("a", b"x"))])
        assert (answer.status, "not in a supported image format" in answer.json["error"]) == (400, True)
        slow.settimeout(20)
        assert b"408" in slow.recv(100)


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    with running_app(AppSettings(root=tmp_path)) as client:
        answer = client.post_json("/uploads/from", {"path": "\ud800"})
        assert (answer.status, answer.json["error"]) == (404, r"not found below the root: '\ud800'")
