"""Writing files so that a reader never sees half of one, whatever happens to the writer."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tiepoint.errors import InvalidInput


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, durable: bool = False) -> Iterator[Path]:
    """Hand out a temporary path beside `path`; when the block ends well, it takes the name of `path` at once.

    Args:
        path: where the finished file shall stand; its suffix is kept, so that writers can go by it.
        durable: whether a power cut must cost neither the file nor the one before. The file is forced to the disk,
            some ms each time, so this is for what can't be made again.

    Raises:
        InvalidInput: the folder is missing, can't be written to, or is full; what stood at `path` is untouched.
    """
    target = Path(path)
    check_writable(target)
    temporary = target.with_name(f".tiepoint-{secrets.token_hex(8)}{target.suffix}")
    try:
        yield temporary
        if durable:
            _force_to_disk(temporary)
        temporary.replace(target)
        if durable:
            _force_names_to_disk(target.parent)
    except OSError as error:
        raise InvalidInput(
            f"can't write {target}: {error.strerror or error}; nothing was left behind"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Find out before the work, not after it, whether a file can be written.

    Raises:
        InvalidInput: the path is a folder, or its folder is missing or can't be written to.
    """
    target = Path(path)
    try:
        _check_place(target)
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise InvalidInput(f"can't write {target}: {error.strerror or error}; choose another name") from error


def _force_to_disk(path: Path) -> None:
    with path.open("rb+") as file:  # Windows forces only what may be written to
        os.fsync(file.fileno())


def _force_names_to_disk(folder: Path) -> None:
    """Where the system can: Windows opens no folders, and some network file systems refuse."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _check_place(target: Path) -> None:
    if target.is_dir():
        raise InvalidInput(
            f"can't write {target}: it is a folder; name a file, such as {target / 'matches.png'}"
        )
    if not target.parent.is_dir():
        raise InvalidInput(f"can't write {target}: the folder {target.parent} doesn't exist; make it first")
    if not os.access(target.parent, os.W_OK):
        raise InvalidInput(
            f"can't write {target}: no permission to write in {target.parent}; choose another folder"
        )
