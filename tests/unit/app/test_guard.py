"""Requests of other sites, under other names, and too large ones are refused before anything reads them."""

import pytest
from tests.helpers.app_server import DOTS_OPTIONS, Client, dots_pair, running_app

from tiepoint.app.guard import allowed_time_s, is_allowed_host, is_same_origin
from tiepoint.app.settings import AppSettings, Limits


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("localhost", True), ("localhost:7860", True), ("LOCALHOST.", True), ("127.0.0.1:80", True), ("[::1]:80", True),
        ("192.168.1.5", True), ("lab.example:80", True), ("evil.example", False), ("localhost.evil.example", False),
        ("", False), ("evil.example:80:80", False), ("127.0.0.1.evil.example", False), ("[evil]", False),
    ],
)  # fmt: skip
def test_hosts(host: str, is_allowed: bool) -> None:
    assert is_allowed_host(host, AppSettings(allowed_hosts=("lab.example",))) is is_allowed


@pytest.mark.parametrize(
    ("headers", "is_same"),
    [
        ({}, True),
        ({"origin": ["http://a:1"]}, True),
        ({"origin": ["https://a:1"], "sec-fetch-site": ["same-origin"]}, True),
        ({"origin": ["http://a:2"]}, False),
        ({"origin": ["null"]}, False),
        ({"origin": ["http://a:1", "http://evil"]}, False),
        ({"sec-fetch-site": ["cross-site"]}, False),
        ({"sec-fetch-site": ["same-site"]}, False),
    ],
)
def test_origins(headers: dict[str, list[str]], is_same: bool) -> None:
    assert is_same_origin(headers, "a:1") is is_same


def test_other_names_are_refused(client: Client) -> None:
    answer = client.get("/", Host="evil.example")
    assert answer.status == 421
    assert "--allowed-host" in answer.json["error"]


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_forms_of_other_sites_are_refused(client: Client, headers: dict[str, str]) -> None:
    image0, image1 = dots_pair()
    parts = [("image0", ("a.png", image0)), ("image1", ("b.png", image1)), *DOTS_OPTIONS.items()]
    answer = client.post_form("/api/match", parts, **headers)
    assert (answer.status, answer.json) == (403, {"error": "requests of other sites are refused"})
    own = {"Origin": f"http://127.0.0.1:{client.port}"}
    assert client.post_form("/api/match", parts, **own).status == 200


def test_every_answer_has_security_headers(client: Client) -> None:
    for path in ("/", "/missing", "/openapi.json", "/static/app.js"):
        headers = {name.lower(): value for name, value in client.get(path).headers.items()}
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_large_and_slow_requests_are_refused() -> None:
    limits = Limits(max_request_mb=0.1, upload_timeout_s=0.3)
    with running_app(AppSettings(limits=limits)) as client:
        content = bytes(1_500_000)
        assert client.send("POST", "/uploads", content).status == 413
        chunked = {"Transfer-Encoding": "chunked"}
        body = b"".join(b"%x\r\n%s\r\n" % (100_000, content[:100_000]) for _ in range(15)) + b"0\r\n\r\n"
        assert client.send("POST", "/uploads", body, chunked).status == 413
        slow = client.send("POST", "/uploads", b"", {"Content-Length": "10"})
        assert (slow.status, "takes too long" in slow.json["error"]) == (408, True)
        assert client.get("/").status == 200


def test_uploads_must_keep_a_minimum_rate() -> None:
    limits = Limits(min_upload_kb_per_s=20)
    assert [allowed_time_s(size, limits) for size in (0, 20_000, 1_000_000)] == [10, 11, 60]
