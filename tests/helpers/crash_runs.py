"""`tiepoint collection run` in a process of its own, to be killed or interrupted."""

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
DEADLINE = 120.0  # seconds; what takes longer hangs


@contextmanager
def started(
    photos: Path, out: Path, *options: str, largest_file: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A run in a process group of its own, which is gone afterwards; `largest_file` is what it may write, in bytes."""

    def prepare() -> None:
        signal.signal(
            signal.SIGINT, signal.SIG_DFL
        )  # what runs in the background inherits that Ctrl-C is ignored
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

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
        assert run is None or run.poll() is None, "it ended before it should be killed"
        time.sleep(0.005)
