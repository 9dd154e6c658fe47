"""What was fetched from object storage, on the local disk: so much of it, the least recently used going first."""

import shutil
import tempfile
import weakref
from collections import OrderedDict
from pathlib import Path


class Cache:
    """Files in a folder of its own, which goes when the cache does.

    Args:
        max_bytes: how much is kept; the last file stays, however large it is.
    """

    def __init__(self, max_bytes: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tiepoint-store-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._max_bytes = max_bytes
        self._sizes: OrderedDict[Path, int] = OrderedDict()
        self._bytes = 0

    def path(self, kind: str, name: str) -> Path:
        """Where a file of this name is to be written; its folder is there."""
        path = self._folder / kind / name
        path.parent.mkdir(exist_ok=True)
        return path

    def holds(self, path: Path) -> bool:
        """Whether a file is kept; to ask is to use it."""
        if path not in self._sizes:
            return False
        self._sizes.move_to_end(path)
        return True

    def keep(self, path: Path, size: int) -> None:
        """Note that a file has been written, which takes so many bytes; others go where it is too much."""
        self._bytes += size - self._sizes.pop(path, 0)
        self._sizes[path] = size
        while len(self._sizes) > 1 and self._bytes > self._max_bytes:
            self.drop(next(iter(self._sizes)))

    def drop(self, path: Path) -> None:
        """Remove a file, if it is kept."""
        self._bytes -= self._sizes.pop(path, 0)
        path.unlink(missing_ok=True)
