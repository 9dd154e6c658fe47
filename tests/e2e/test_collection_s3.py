"""Stores in object storage: several processes share only an S3 bucket of a local test server."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import boto3
import pytest
from tests.helpers.crash_runs import DEADLINE, started, wait_for
from tests.helpers.small_collections import SMALL, assert_same_collections, write_image_folder

from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.run.runner import match_collection

WORKERS = ("--executor", "processes:2")

pytestmark = [
    pytest.mark.weights,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # from botocore
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # aiohttp connections at exit
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of an S3 server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for_server(f"http://127.0.0.1:{port}/moto-api/", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Name of an empty bucket; environment variables give its server to this process and its children."""
    variables = {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    name = request.node.name.replace("_", "-")
    boto3.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_image_folder(tmp_path_factory.mktemp("s3") / "photos", 8)


@pytest.fixture(scope="module")
def local(photos: Path) -> Collection:
    """The same collection in a folder."""
    match_collection(photos, photos.parent / "local", threads=1, **SMALL)
    return open_collection(photos.parent / "local")


def test_two_workers_share_a_bucket(photos: Path, local: Collection, bucket: str, tmp_path: Path):
    stores = f"s3://{bucket}/collection"
    run(photos, tmp_path / "out", stores)
    assert len(objects(bucket)) > len(local.images)
    assert not (tmp_path / "out" / "stores").exists()
    assert_same_collections(open_collection(tmp_path / "out"), local)


def test_killed_run_is_completed_by_the_next(photos: Path, local: Collection, bucket: str, tmp_path: Path):
    stores = f"s3://{bucket}/collection"
    with started(photos, tmp_path / "out", "--stores", stores, *WORKERS) as process:
        wait_for(lambda: len(objects(bucket)) >= 6, process)
        os.killpg(process.pid, signal.SIGKILL)
    written = len(objects(bucket))
    run(photos, tmp_path / "out", stores)
    assert len(objects(bucket)) > written
    assert_same_collections(open_collection(tmp_path / "out"), local)


def run(photos: Path, out: Path, stores: str) -> None:
    with started(photos, out, "--stores", stores, *WORKERS) as process:
        _, stderr = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, stderr


def objects(bucket: str) -> list[str]:
    """Keys of everything in a bucket."""
    listed = boto3.client("s3").list_objects_v2(Bucket=bucket)
    return [item["Key"] for item in listed.get("Contents", [])]


def wait_for_server(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")
