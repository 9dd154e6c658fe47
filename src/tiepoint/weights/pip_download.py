"""Let pip download a wheel: it knows the company's package mirror, its certificates and its password."""

import errno
import importlib.util
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from tiepoint.weights.progress import progress_bar
from tiepoint.weights.transfer import SourceError

logger = logging.getLogger(__name__)

# Wheels only, so nothing of them is executed; no cache, because pip would write another copy there;
# no long row of retries, because another source may be waiting.
_OPTIONS = [
    "--no-deps",
    "--only-binary=:all:",
    "--no-cache-dir",
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
    "--retries=1",
]


def pip_download(requirement: str, folder: Path, *, progress: bool) -> Path:
    """Download one wheel into `folder`; what breaks off is begun once more.

    Raises:
        SourceError: pip isn't installed, or can't get the wheel.
        OSError: the disk is full.
    """
    if not sys.executable or importlib.util.find_spec("pip") is None:
        raise SourceError("pip isn't installed in this environment ('python -m ensurepip' installs it)")
    with progress_bar(requirement, None, show=progress) as report:
        try:
            _run(requirement, folder, report)
        except SourceError as failure:
            if not failure.passing:
                raise
            logger.info("pip download %s: %s; trying once more", requirement, failure)
            _run(requirement, folder, report)
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        raise SourceError("pip downloaded no wheel")
    return wheels[0]


def _run(requirement: str, folder: Path, report: Callable[[int], None]) -> None:
    # -P: a folder named pip in the current directory isn't pip
    command = [sys.executable, "-P", "-m", "pip", "download", *_OPTIONS, "--dest", str(folder), requirement]
    # pip's own temporary files go there too, so that they can be counted, and vanish with the folder
    environment = {**os.environ, "TMPDIR": str(folder)}
    log = folder / "pip.log"
    with log.open("wb") as output:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": output}
        with subprocess.Popen(command, env=environment, **quiet) as process:
            _wait(process, folder, report)
    if process.returncode:
        _raise_failure(log)


def _wait(process: subprocess.Popen, folder: Path, report: Callable[[int], None]) -> None:
    try:
        while process.poll() is None:
            with suppress(OSError):  # pip has just moved something
                report(_largest_file(folder))
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
    except BaseException:  # Ctrl-C too: pip isn't left behind
        process.kill()
        raise


def _largest_file(folder: Path) -> int:
    """The size of the wheel, or of what is here of it."""
    return max((path.stat().st_size for path in folder.rglob("*") if path.is_file()), default=0)


def _raise_failure(log: Path) -> NoReturn:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    said = [line for line in lines if line and not line.startswith("[notice]")]
    reason = said[-1].removeprefix("ERROR: ") if said else "no reason given"
    if "No space left" in reason:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    hopeless = "No matching distribution" in reason
    raise SourceError(f"pip download failed: {reason}", passing=not hopeless)
