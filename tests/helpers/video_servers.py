"""Videos over the network, from this machine: a file over HTTP, MJPEG over HTTP, RTSP."""

import io
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image

SIZE = (320, 240)
RATE = 25
BOUNDARY = "frame"


def moving_picture(number: int, size: tuple[int, int] = SIZE) -> PIL.Image.Image:
    """Texture that moves by 1 px per frame, back and forth."""
    width, height = size
    small = np.random.default_rng(0).integers(0, 256, (height // 8, width // 4, 3), np.uint8)
    texture = PIL.Image.fromarray(small).resize((width * 2, height))
    left = abs(number % 100 - 50)
    return texture.crop((left, 0, left + width, height))


def free_port() -> int:
    """Return a port of this machine that nothing uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class VideoServer(ThreadingHTTPServer):
    """HTTP server of one file at /clip.mkv, and of an endless MJPEG stream at /camera.

    Attributes:
        num_sent: Number of frames of the stream that were written to the network.
        num_bytes: Their size.
        num_frames: Frames after which the stream ends or stalls.
        stalls: Whether the stream then stays open without data.
    """

    daemon_threads = True

    def __init__(self, file: Path | None = None, *, num_frames: int = 10**9, stalls: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.file = file
        self.num_frames = num_frames
        self.stalls = stalls
        self.num_sent = 0
        self.num_bytes = 0
        self.progress = threading.Condition()
        self.is_over = threading.Event()

    def url(self, path: str, user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.server_port}{path}"

    def count(self, num_bytes: int) -> None:
        with self.progress:
            self.num_sent += 1
            self.num_bytes += num_bytes
            self.progress.notify_all()

    def has_sent_bytes(self, num_bytes: int, timeout: float = 300) -> bool:
        """Wait until the stream has this size, at most `timeout` s."""
        with self.progress:
            return self.progress.wait_for(lambda: self.num_bytes >= num_bytes, timeout)


class _Handler(BaseHTTPRequestHandler):
    server: VideoServer

    def do_GET(self) -> None:
        if self.path.startswith("/clip"):
            assert self.server.file is not None
            data = self.server.file.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self.end_headers()
        with suppress(OSError):  # the client closes the connection
            self._send_frames()

    def _send_frames(self) -> None:
        frames = [jpeg(number) for number in range(100)]
        while self.server.num_sent < self.server.num_frames:
            data = frames[self.server.num_sent % len(frames)]
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data + b"\r\n")
            self.server.count(len(data))
        if self.server.stalls:
            self.server.is_over.wait(60)

    def log_message(self, *_: Any) -> None:
        pass


def jpeg(number: int) -> bytes:
    """Return a large JPEG of the moving picture, to fill network buffers quickly."""
    stream = io.BytesIO()
    moving_picture(number).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@contextmanager
def serving(server: VideoServer) -> Iterator[VideoServer]:
    """Run a server in a thread."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def push_rtsp(url: str, num_frames: int, *, attempts: int = 600) -> None:
    """Send frames at 25 per second to a listener, with the RTSP muxer of PyAV's FFmpeg."""
    container, stream = _connect(url, attempts)
    start = time.monotonic()
    for number in range(num_frames):
        frame = av.VideoFrame.from_image(moving_picture(number))
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        container.mux(stream.encode(frame))
        time.sleep(max(0.0, start + number / RATE - time.monotonic()))
    container.mux(stream.encode())
    container.close()


def _connect(url: str, attempts: int) -> tuple[Any, Any]:
    for _ in range(attempts):
        container = av.open(url, "w", format="rtsp", options={"rtsp_transport": "tcp"})
        stream = container.add_stream("mpeg4", rate=RATE, options={"g": "10"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        try:
            container.start_encoding()
        except av.FFmpegError:  # the listener has not started yet
            time.sleep(0.1)
        else:
            return container, stream
    raise TimeoutError(f"nothing listens at {url}")


if __name__ == "__main__":
    push_rtsp(sys.argv[1], int(sys.argv[2]))
