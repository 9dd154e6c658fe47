"""Atomic writing: a reader never sees a partial file, whatever happens to the writer."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tiepoint.errors import InvalidInput


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, durable: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder, and rename it to `path` if the block succeeds.

    Args:
        path: Path of the finished file; the temporary path has the same suffix, for writers that depend on it.
        durable: Flush to disk, so that a power failure loses neither the new file nor the previous one. This takes a
            few ms, and is meant for files that cannot be regenerated.

    Raises:
        InvalidInput: If the folder is missing, not writable or full; a previous file at `path` is kept.
    """
    target = Path(path)
    check_writable(target)
    temporary = target.with_name(f".tiepoint-{secrets.token_hex(8)}{target.suffix}")
    try:
        yield temporary
        if durable:
            _flush_file(temporary)
        temporary.replace(target)
        if durable:
            _flush_folder(target.parent)
    except OSError as error:
        raise InvalidInput(
            f"cannot write {target}: {error.strerror or error}; no partial file was written"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Check that a file can be written, before starting long work.

    Raises:
        InvalidInput: If the path is a folder, or its folder is missing or not writable.
    """
    target = Path(path)
    try:
        _check_target(target)
    except OSError as error:  # name too long, folder not accessible
        raise InvalidInput(
            f"cannot write {target}: {error.strerror or error}; choose another name"
        ) from error


def _flush_file(path: Path) -> None:
    with path.open("rb+") as file:  # Windows flushes only files opened for writing
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Flush the folder entry where supported: not on Windows and some network file systems."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _check_target(target: Path) -> None:
    if target.is_dir():
        raise InvalidInput(
            f"cannot write {target}: it is a folder; pass the path of a file, such as {target / 'matches.png'}"
        )
    if not target.parent.is_dir():
        raise InvalidInput(
            f"cannot write {target}: the folder {target.parent} does not exist; create it first"
        )
    if not os.access(target.parent, os.W_OK):
        raise InvalidInput(
            f"cannot write {target}: no write permission for {target.parent}; choose another folder"
        )
