"""Local LRU cache of files fetched from object storage."""

from collections import OrderedDict
from pathlib import Path

from tiepoint.io.temporary import TemporaryFolder


class DiskCache:
    """Files in a temporary folder, which is removed together with the cache.

    Args:
        max_bytes: Maximum total size; the most recent file is always kept, whatever its size.
    """

    def __init__(self, max_bytes: int) -> None:
        self._temporary = TemporaryFolder("store")
        self._folder = self._temporary.path
        self._max_bytes = max_bytes
        self._sizes: OrderedDict[Path, int] = OrderedDict()
        self._bytes = 0

    def path(self, kind: str, name: str) -> Path:
        """Return the path for a file, creating its folder."""
        path = self._folder / kind / name
        path.parent.mkdir(exist_ok=True)
        return path

    def has(self, path: Path) -> bool:
        """Return whether a file is cached; marks it as recently used."""
        if path not in self._sizes:
            return False
        self._sizes.move_to_end(path)
        return True

    def add(self, path: Path, size: int) -> None:
        """Register a file of `size` bytes that has been written; evict the least recently used ones if necessary."""
        self._bytes += size - self._sizes.pop(path, 0)
        self._sizes[path] = size
        while len(self._sizes) > 1 and self._bytes > self._max_bytes:
            self.remove(next(iter(self._sizes)))

    def remove(self, path: Path) -> None:
        """Delete a file if it is cached."""
        self._bytes -= self._sizes.pop(path, 0)
        path.unlink(missing_ok=True)
