"""The application of `tiepoint app` on a free port, with networks that need no weights, and a client without cookies."""

import http.client
import io
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
import uvicorn
from tests.helpers.colored_dots import SHIFT, SIZE, dots, make_matcher

from tiepoint.app.models import Models
from tiepoint.app.routes import create_app
from tiepoint.app.server import open_socket
from tiepoint.app.service import Service
from tiepoint.app.settings import AppSettings
from tiepoint.matcher import Matcher

DOTS_OPTIONS = {"resize": str(SIZE[0]), "max_keypoints": "500"}
"""Options for which images of dots are not resized."""

Part = tuple[str, bytes] | str
"""A file (name, content), or text."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Client:
    """Sends requests to a port of this machine; each has a connection of its own."""

    def __init__(self, port: int, service: Service) -> None:
        self.port = port
        self.service = service

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            with suppress(BrokenPipeError):  # the server may answer before it has read a large body
                connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, headers=headers)

    def post_json(self, path: str, value: Any) -> Answer:
        return self.send("POST", path, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def post_form(self, path: str, parts: list[tuple[str, Part]], **headers: str) -> Answer:
        boundary = uuid.uuid4().hex
        body = (
            b"".join(_encode(name, part, boundary) for name, part in parts) + f"--{boundary}--\r\n".encode()
        )
        return self.send(
            "POST", path, body, {"Content-Type": f"multipart/form-data; boundary={boundary}", **headers}
        )

    def upload(self, content: bytes, name: str = "a.png") -> str:
        """Upload an image, and return its id."""
        answer = self.send("POST", f"/uploads?name={name}", content)
        assert answer.status == 201, answer.body
        return answer.json["id"]

    def submit(self, **values: Any) -> dict[str, Any]:
        """Upload two images of dots, start a job with them, and return its first state."""
        ids = [self.upload(content, f"{k}.png") for k, content in enumerate(dots_pair())]
        values = {"kind": "match", "image0": ids[0], "image1": ids[1]} | DOTS_OPTIONS | values
        answer = self.post_json("/jobs", values)
        assert answer.status == 202, answer.body
        return answer.json

    def finish(self, job_id: str) -> dict[str, Any]:
        """Wait for the end of a job, and return its state."""
        for _ in range(3000):
            state = self.get(f"/jobs/{job_id}").json
            if state.get("state") not in ("queued", "running"):
                return state
            time.sleep(0.01)
        raise TimeoutError(state)


def _encode(name: str, part: Part, boundary: str) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
    if isinstance(part, str):
        return f"{head}\r\n\r\n{part}\r\n".encode()
    return f'{head}; filename="{part[0]}"\r\n\r\n'.encode() + part[1] + b"\r\n"


def load_dots(preset: str, **_: Any) -> Matcher:
    """Load a matcher for images of dots, whatever the preset."""
    return make_matcher(None)


@contextmanager
def running_app(
    settings: AppSettings | None = None, load: Callable[..., Matcher] = load_dots
) -> Iterator[Client]:
    """Serve the application in a thread, and yield a client."""
    settings = settings or AppSettings(port=0)
    service = Service.create(settings, Models(settings, load))
    sock = open_socket("127.0.0.1", 0)
    server = uvicorn.Server(
        uvicorn.Config(create_app(service), log_config=None, access_log=False, server_header=False)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    port = sock.getsockname()[1]
    thread.start()
    try:
        yield Client(port, service)
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        sock.close()


def png(pixels: np.ndarray) -> bytes:
    """Encode pixels losslessly."""
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def dots_pair() -> tuple[bytes, bytes]:
    """Two images of the same dots, the second one shifted."""
    return png(dots()), png(dots(SHIFT))


def pair_form(seed: int = 0, **options: Part) -> list[tuple[str, Part]]:
    """A form with two images of the same dots, and options."""
    images = png(dots(seed=seed)), png(dots(SHIFT, seed=seed))
    files: list[tuple[str, Part]] = [(f"image{k}", (f"{k}.png", images[k])) for k in (0, 1)]
    return files + list((DOTS_OPTIONS | options).items())
