"""Temporary folders that the next run removes if this one is killed."""

import os
import re
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any, Literal

LOCK = ".lock"

MIN_AGE_S = 3600.0
"""Minimum age of a leftover without a lock file: a new folder has none for a moment."""

_NAME = re.compile(r"\.?tiepoint-(store|eval|export|app)-\w+")


class TemporaryFolder:
    """A temporary folder, removed when the object is closed or garbage-collected.

    A lock file in it is held for its lifetime. Folders whose lock is not held were left by killed processes: each new
    folder removes them. Folders in use, by this or other processes, are never touched.

    Args:
        kind: Purpose, part of the name.
        root: Folder that contains it, under a hidden name; None means the temporary folder of the system.

    Attributes:
        path: Path of the folder.
    """

    def __init__(self, kind: Literal["store", "eval", "export", "app"], root: Path | None = None) -> None:
        remove_leftovers(root or Path(tempfile.gettempdir()))
        hidden = "" if root is None else "."
        self.path = Path(tempfile.mkdtemp(prefix=f"{hidden}tiepoint-{kind}-", dir=root))
        lock = _file_lock(self.path)
        with suppress(
            OSError, NotImplementedError
        ):  # a file system without locks: nothing is ever removed there
            lock.acquire(timeout=0)
        self._finalizer = weakref.finalize(self, _remove, self.path, lock)

    def close(self) -> None:
        """Remove the folder."""
        self._finalizer()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def remove_leftovers(root: Path) -> None:
    """Remove the temporary folders of this user that killed processes left.

    Args:
        root: Folder that contains them.
    """
    with suppress(OSError):
        for path in root.iterdir():
            if _NAME.fullmatch(path.name) and _is_own_folder(path):
                _remove_if_unused(path)


def _remove_if_unused(folder: Path) -> None:
    from filelock import Timeout

    with suppress(OSError, NotImplementedError, Timeout):
        if not (folder / LOCK).exists() and time() - folder.stat().st_mtime < MIN_AGE_S:
            return
        lock = _file_lock(folder)
        lock.acquire(timeout=0)
        _remove(folder, lock)


def _is_own_folder(path: Path) -> bool:
    """Return whether a path is a real folder that belongs to this user; others can create any name there."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return (
        path.is_dir()
        and not path.is_symlink()
        and getattr(os, "getuid", lambda: status.st_uid)() == status.st_uid
    )


def _file_lock(folder: Path) -> Any:
    from filelock import FileLock

    return FileLock(folder / LOCK, thread_local=False)


def _remove(folder: Path, lock: Any) -> None:
    """Remove a folder and release its lock; on Windows, a locked file cannot be removed before."""
    if os.name == "nt":
        lock.release(force=True)
    shutil.rmtree(folder, ignore_errors=True)
    lock.release(force=True)
