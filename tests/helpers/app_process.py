"""`tiepoint app` as a process of its own, as users start it."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.helpers.paths import SOURCE

START_S = 60  # until the address is printed


@dataclass
class AppProcess:
    """A running server.

    Attributes:
        process: The process.
        url: URL of the page.
    """

    process: subprocess.Popen
    url: str

    @property
    def port(self) -> int:
        """Port of the server."""
        return int(self.url.rstrip("/").rpartition(":")[2])

    def stop(self) -> int:
        """Interrupt it as Ctrl-C does, and return its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)


@contextmanager
def app_process(*options: object, **environment: str) -> Iterator[AppProcess]:
    """Start `tiepoint app` on a free port, unless the options name one, and kill it at the end."""
    port = () if "--port" in options else ("--port", 0)
    process = subprocess.Popen(
        [sys.executable, "-m", "tiepoint", "app", *map(str, (*port, *options))],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1", **environment},
    )
    watchdog = threading.Timer(START_S, process.kill)
    watchdog.start()
    lines = []
    assert process.stdout is not None
    try:
        for line in process.stdout:
            lines.append(line)
            found = re.search(r"tiepoint app: (http://\S+)", line)
            if found:
                watchdog.cancel()
                yield AppProcess(process, found[1])
                return
        raise AssertionError("".join(lines))
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
