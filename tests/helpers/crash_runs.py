"""Start `tiepoint collection run` in a separate process that tests kill or interrupt."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.helpers.small_collections import environment

COMMAND = (sys.executable, "-c", "from tiepoint.cli import main; main()", "collection", "run")
OPTIONS = ("--resize", "128", "--max-keypoints", "64", "--device", "cpu", "--threads", "1")
DEADLINE = 120.0  # s


@contextmanager
def started(
    photos: Path, out: Path, *options: str, max_file_bytes: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start a run in its own process group, which is killed at the end; `max_file_bytes` limits the file size."""

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # background processes inherit an ignored SIGINT
        if max_file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes))

    run = subprocess.Popen(
        [*COMMAND, str(photos), str(out), *OPTIONS, *options],
        env=environment(),
        start_new_session=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=prepare,
    )
    with run:
        try:
            yield run
        finally:
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)


def wait_for(event: Callable[[], bool], run: "subprocess.Popen[str] | None" = None) -> None:
    begin = time.monotonic()
    while not event():
        assert time.monotonic() - begin < DEADLINE, "it hangs"
        assert run is None or run.poll() is None, "it ended before the kill"
        time.sleep(0.005)
