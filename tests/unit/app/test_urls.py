"""URLs: private addresses are refused in every spelling and after redirects; downloads are bounded."""

import ipaddress
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given, strategies as st

from tiepoint.app import urls
from tiepoint.app.messages import RequestError
from tiepoint.app.urls import fetch, is_public

LIMITS = {"max_bytes": 1000, "timeout_s": 5.0}


class Handler(BaseHTTPRequestHandler):
    """Answers by path."""

    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        status, size = {"/small": (200, 10), "/large": (200, 5000), "/slow": (200, 0)}.get(
            self.path, (404, 0)
        )
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"x" * size)
        for _ in range(50 if self.path == "/slow" else 0):
            try:
                self.wfile.write(b"x")
            except OSError:
                return
            time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.0.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1",
        "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "::7f00:1",
        "2001:db8::1",
    ],
)  # fmt: skip
def test_private_addresses(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_addresses_within_others_count_as_themselves(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address((0xFFFF << 32) | int(address))
    assert is_public(mapped) == is_public(address)
    if not is_public(address):
        assert not is_public(ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80)))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"]
)
def test_loopback_is_refused_in_every_spelling(site: str, host: str) -> None:
    port = site.rpartition(":")[2]
    with pytest.raises(RequestError, match=r"private or loopback|cannot find the host|invalid URL"):
        fetch(f"http://{host}:{port}/small", **LIMITS)


def test_a_name_that_resolves_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "_resolve", lambda host, port: ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(RequestError, match="private or loopback") as error:
        fetch("http://rebinding.example/small", **LIMITS)
    assert error.value.status == 403


def test_a_redirect_to_a_private_address_is_refused(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first host counts as public; the second one is this machine."""
    resolve, check = urls._resolve, urls._check_public
    monkeypatch.setattr(urls, "_check_public", lambda found, host: host == "first" or check(found, host))
    monkeypatch.setattr(
        urls, "_resolve", lambda host, port: ["127.0.0.1"] if host == "first" else resolve(host, port)
    )
    port = site.rpartition(":")[2]
    assert fetch(f"http://first:{port}/small", **LIMITS) == b"x" * 10
    for target in (f"{site}/small", f"http://localhost:{port}/small"):
        with pytest.raises(RequestError, match="private or loopback"):
            fetch(f"http://first:{port}/to/{target}", **LIMITS)
    with pytest.raises(RequestError, match="unsupported URL scheme 'file'"):
        fetch(f"http://first:{port}/to/file:///etc/passwd", **LIMITS)


def test_local_addresses_can_be_allowed(site: str) -> None:
    assert fetch(f"{site}/small", **LIMITS, allow_local=True) == b"x" * 10
    assert fetch(f"{site}/to/{site}/small", **LIMITS, allow_local=True) == b"x" * 10


def test_downloads_are_bounded(site: str) -> None:
    with pytest.raises(RequestError, match=r"exceeds the limit of 0.001 MB"):
        fetch(f"{site}/large", **LIMITS, allow_local=True)
    start = time.monotonic()
    with pytest.raises(RequestError, match="cannot download"):
        fetch(f"{site}/slow", max_bytes=1000, timeout_s=0.3, allow_local=True)
    assert time.monotonic() - start < 2
    with pytest.raises(RequestError, match="HTTP status 404"):
        fetch(f"{site}/missing", **LIMITS, allow_local=True)
    with pytest.raises(RequestError, match="more than 5 redirects"):
        fetch(site + "/to/" * 7 + f"{site}/small", **LIMITS, allow_local=True)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://example.org/a.jpg", "unsupported URL scheme 'ftp'"),
        ("file:///etc/passwd", "unsupported URL scheme 'file'"),
        ("/etc/passwd", "unsupported URL scheme ''"),
        ("http://", "expected a host"),
        ("http://user:secret@example.org/", "neither user name nor password"),
        ("http://example.org:x/", "invalid URL"),
        ("http://example.org/a b.jpg", "percent-encode"),
        ("http://example.org/\r\nHost: x", "percent-encode"),
        ("http://example.org/" + "a" * 3000, "exceeds the limit of 2,000"),
    ],
)
def test_invalid_urls(url: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        fetch(url, **LIMITS)
