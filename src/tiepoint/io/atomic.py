"""Atomic writing: a reader never sees a partial file, whatever happens to the writer."""

import errno
import logging
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tiepoint.errors import InvalidInput

logger = logging.getLogger(__name__)


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, durable: bool = False) -> Iterator[Path]:
    """Yield a temporary path, and rename it to `path` if the block succeeds.

    A symbolic link is written through, like by `open(path, "w")`: its target is replaced. The permissions of a previous
    file are kept. Devices and pipes, which cannot be replaced, receive the finished content.

    Args:
        path: Path of the finished file; the temporary path has the same suffix, for writers that depend on it.
        durable: Flush to disk, so that a power failure loses neither the new file nor the previous one. This takes a
            few ms, and is meant for files that cannot be regenerated.

    Raises:
        InvalidInput: If the folder is missing, not writable or full; a previous file at `path` is kept.
    """
    given = Path(path)
    check_writable(given)
    target = _resolved(given)
    folder = Path(tempfile.gettempdir()) if _is_special(target) else target.parent
    temporary = folder / f".tiepoint-{secrets.token_hex(8)}{given.suffix}"
    try:
        yield temporary
        if durable:
            _flush_file(temporary)
        _publish(temporary, target)
        logger.debug("wrote %s", given)
        if durable:
            _flush_folder(target.parent)
    except OSError as error:
        raise InvalidInput(
            f"cannot write {str(given)!r}: {error.strerror or error}; no partial file was written"
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
        _check_target(_resolved(target))
    except OSError as error:  # name too long, folder not accessible, symbolic link to itself
        raise InvalidInput(
            f"cannot write {str(target)!r}: {error.strerror or error}; choose another name"
        ) from error


def check_overwrites(outputs: Iterable[object], inputs: Iterable[object]) -> None:
    """Check that no output replaces an input or another output, before starting.

    Args:
        outputs: Output paths; None is ignored.
        inputs: Input paths; other objects, such as arrays and URLs, are ignored.

    Raises:
        InvalidInput: If an output is an input, or two outputs are the same file.
    """
    taken = {Path(path).resolve(): "an input" for path in inputs if isinstance(path, str | os.PathLike)}
    for path in outputs:
        if not isinstance(path, str | os.PathLike):
            continue
        target = Path(path).resolve()
        if target in taken and not _is_special(target):
            raise InvalidInput(f"cannot write {str(path)!r}: it is {taken[target]}, too; choose another name")
        taken[target] = "another output"


def _resolved(path: Path) -> Path:
    """Return the file that `open(path, "w")` would write: the target of symbolic links, which need not exist."""
    if not path.is_symlink() or _is_special(path):
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


def _is_special(path: Path) -> bool:
    """Return whether a path is a device or a pipe, such as /dev/stdout."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _publish(temporary: Path, target: Path) -> None:
    if _is_special(target):
        with temporary.open("rb") as content, target.open("wb") as device:
            shutil.copyfileobj(content, device)
        return
    with suppress(OSError):  # there is no previous file, or it belongs to somebody else
        shutil.copymode(target, temporary)
    temporary.replace(target)


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
            f"cannot write {str(target)!r}: it is a folder; pass the path of a file, such as {str(target / 'matches.png')!r}"
        )
    if _is_special(target):
        return
    if not target.parent.is_dir():
        raise InvalidInput(
            f"cannot write {str(target)!r}: the folder {str(target.parent)!r} does not exist; create it first"
        )
    if not os.access(target.parent, os.W_OK):
        raise InvalidInput(
            f"cannot write {str(target)!r}: no write permission for {str(target.parent)!r}; choose another folder"
        )
