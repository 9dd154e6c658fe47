"""Images from a web server: the good answer, and every bad one."""

import http.server
import io
import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import PIL.Image
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.image import read_image

PICTURE = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)


def png() -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(PICTURE).save(stream, "PNG")
    return stream.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    """One path for each kind of answer."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        {
            "/a.png": self.send_picture,
            "/a%20b%C3%A9.png": self.send_picture,
            "/moved.png": lambda: self.redirect("/a.png"),
            "/to-ftp.png": lambda: self.redirect("ftp://127.0.0.1/a.png"),
            "/to-file.png": lambda: self.redirect("file:///etc/hostname"),
            "/page.png": lambda: self.send_body(b"<html>sorry</html>"),
            "/empty.png": lambda: self.send_body(b""),
            "/short.png": lambda: self.send_body(png()[:50], length=len(png())),
            "/cut.png": lambda: self.send_body(png()[:-200]),
            "/huge.png": lambda: self.send_body(b"", length=10**9),
            "/unannounced.png": lambda: self.send_body(bytes(300_000), length=None),
            "/silent.png": self.wait,
            "/drip.png": self.drip,
        }.get(path, lambda: self.send_error(404))()

    def send_picture(self) -> None:
        agent = self.headers["User-Agent"]
        self.send_body(png() if agent == "tiepoint" else b"")

    def send_body(self, body: bytes, length: int | None = -1) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length == -1 else length))
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, location: str) -> None:
        self.send_response(302)
        self.send_header("Location", location)
        self.end_headers()

    def wait(self) -> None:
        self.server.stopping.wait(5)  # type: ignore[attr-defined]

    def drip(self) -> None:
        """A byte now and then keeps the socket's own time-out from ever firing."""
        self.send_response(200)
        self.end_headers()
        while not self.server.stopping.wait(0.02):  # type: ignore[attr-defined]
            self.wfile.write(b"x")

    def log_message(self, *args: object) -> None:
        """Keep the test's output quiet."""


class Server(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.stopping = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.stopping.set()
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/a.png", "/a.png?size=big&x=1", "/moved.png", "/a bé.png"])
def test_an_image_is_fetched(server: str, path: str) -> None:
    image = read_image(server + path)
    np.testing.assert_array_equal(image.pixels.permute(1, 2, 0), PICTURE)
    assert image.source == server + path


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/missing.png", "404 Not Found"),
        ("/page.png", "is a web page, not an image"),
        ("/empty.png", "is empty (0 bytes)"),
        ("/short.png", "656 bytes, got 50"),
        ("/cut.png", "is truncated"),
        ("/huge.png", "limit of 0.2 MB"),
        ("/unannounced.png", "limit of 0.2 MB"),
        ("/silent.png", "timeout of 0.3 s"),
        ("/drip.png", "timeout of 0.3 s"),
        ("/to-ftp.png", "unknown url type: ftp"),
        ("/to-file.png", "302"),
    ],
)
def test_bad_answers_are_named_in_one_line(server: str, path: str, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_image(server + path, timeout=0.3, max_download_mb=0.2)
    message = str(caught.value)
    assert text in message
    assert repr(server + path) in message
    assert "\n" not in message


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, but nobody listens
        with pytest.raises(InvalidInput, match=r"cannot download .*refused"):
            read_image(f"http://127.0.0.1:{bound.getsockname()[1]}/a.png", timeout=1.0)


@pytest.mark.parametrize(
    "url", ["http://", "http://127.0.0.1:port/a.png", "http://[::1/a.png", "https:///a.png"]
)
def test_malformed_addresses(url: str) -> None:
    with pytest.raises(InvalidInput, match="cannot download"):
        read_image(url, timeout=1.0)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/a.png", "s3://bucket/a.png"])
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="use http, https or data"):
        read_image(url)


def test_a_slow_but_steady_download_may_outlast_the_timeout(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock runs 1 s further with each look at it; 10 kB allow for a second."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(ticks)))
    with pytest.raises(InvalidInput, match="not in a supported image format"):
        read_image(server + "/unannounced.png", timeout=2.5)
