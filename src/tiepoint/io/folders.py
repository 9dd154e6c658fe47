"""Folders that several threads and processes use: reading them while they change, replacing their content whole."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tiepoint.errors import InvalidInput
from tiepoint.io.temporary import LOCK, TemporaryFolder

FORMER = "-former"
"""Suffix of the previous folder while a new one replaces it."""


def paths_below(folder: Path) -> Iterator[Path]:
    """Yield the files and folders below a folder, while others may add and remove some.

    `Path.glob` fails if a folder is removed before it is listed (Python 3.11, 3.12).

    Args:
        folder: Folder; without one, nothing is yielded. Links are yielded, not followed.
    """
    for parent, folders, names in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *names))


def file_sizes(folder: Path) -> Iterator[int]:
    """Yield the size in bytes of each regular file below a folder, while others may add and remove some.

    Args:
        folder: Folder; without one, nothing is yielded. Links are not followed.
    """
    for path in paths_below(folder):
        with suppress(OSError):  # removed in between
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                yield status.st_size


def replace_folder(finished: Path, path: Path) -> None:
    """Move a finished folder to a path; a previous folder there is removed after it.

    During the replacement the previous folder has another name; after a crash at that moment, `restore_folder` moves it
    back.

    Args:
        finished: Folder on the same file system.
        path: Path of the finished folder.
    """
    former = _former(path)
    restore_folder(path)
    shutil.rmtree(former, ignore_errors=True)
    if path.exists():
        path.rename(former)
    finished.rename(path)
    shutil.rmtree(former, ignore_errors=True)


def restore_folder(path: Path) -> None:
    """Move the previous folder back if a replacement was interrupted before the new one was in place."""
    if _former(path).is_dir() and not path.exists():
        _former(path).rename(path)


@contextmanager
def staged_files(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder; if the block succeeds, its files replace those of the same names in `folder`.

    Other files in the folder are kept, and all of them if the block fails. Nothing is moved before all files are complete,
    so that files which belong together stay so. What a killed writer left is removed by the next one.

    Args:
        folder: Existing folder.

    Raises:
        InvalidInput: If a file cannot be written.
    """
    try:
        with TemporaryFolder("export", folder) as staging:
            yield staging
            for path in sorted(staging.rglob("*")):
                target = folder / path.relative_to(staging)
                if path.is_dir():
                    target.mkdir(exist_ok=True)
                elif path != staging / LOCK:
                    path.replace(target)
    except OSError as error:
        raise InvalidInput(f"cannot write to {str(folder)!r}: {error.strerror or error}") from error


def _former(path: Path) -> Path:
    return path.with_name(f"{path.name}{FORMER}")
