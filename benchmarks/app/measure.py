"""Measure the memory of `tiepoint app` over many matches, and the time until it answers.

    python -m benchmarks app

The server runs in a process of its own; every match is one of the page: two uploads, a job, the data of the viewer, a
drawing. Linux only.
"""

import argparse
import io
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import PIL.Image

from benchmarks.records import about, add_quick_argument, add_records_argument, write_record
from tiepoint.image.sample_pair import motorcycle

RECORD = "app.json"
STEP = 20  # matches between two measurements


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--matches", type=int, default=200, help="Number of matches.")
    parser.add_argument("--preset", default="fast", help="Preset of the server.")
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Start the server, match the sample pair again and again, and write the record."""
    matches = STEP if arguments.quick else arguments.matches
    images = [_encode(pixels) for pixels in motorcycle()[:2]]
    with _server(arguments.preset) as (process, url, seconds):
        memory = {}
        for count in range(1, matches + 1):
            _match(url, images)
            if count == 1 or count % STEP == 0:
                memory[count] = _memory_mb(process.pid)
                print(f"{count:4} matches: {memory[count]} MB")
    write_record(
        arguments.records,
        RECORD,
        {**about(1), "preset": arguments.preset, "start_s": round(seconds, 2), "memory_mb": memory},
    )


@contextmanager
def _server(preset: str) -> Iterator[tuple[subprocess.Popen, str, float]]:
    """Yield process, URL and seconds until the page was served."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "tiepoint", "app", "--port", "0", "--preset", preset]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None, "the server prints its address"
        _send(found[0])
        yield process, found[0], time.perf_counter() - start
    finally:
        process.terminate()
        process.wait()


def _match(url: str, images: list[bytes]) -> None:
    ids = [json.loads(_send(f"{url}uploads?name=a.png", image))["id"] for image in images]
    values = {"kind": "match", "image0": ids[0], "image1": ids[1]}
    job = json.loads(_send(f"{url}jobs", json.dumps(values).encode()))
    while job["state"] in ("queued", "running"):
        time.sleep(0.02)
        job = json.loads(_send(f"{url}jobs/{job['id']}"))
    assert job["state"] == "done", job
    _send(f"{url}jobs/{job['id']}/viewer")
    _send(f"{url}jobs/{job['id']}/matches.png")
    for upload in ids:
        _send(f"{url}uploads/{upload}", method="DELETE")


def _memory_mb(pid: int) -> int:
    """Return the resident memory of a process in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None, "Linux only"
    return round(int(found[1]) * 1024 / 1e6)


def _send(url: str, body: bytes | None = None, method: str | None = None) -> bytes:
    request = urllib.request.Request(url, body, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def _encode(pixels: Any) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
