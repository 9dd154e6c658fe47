"""Storage backends of a store: a local folder, or object storage through fsspec. Shards are written atomically."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.feature_store.disk_cache import DiskCache
from tiepoint.io.atomic import atomic_write
from tiepoint.io.messages import first_line
from tiepoint.io.optional import import_optional

Location: TypeAlias = str | os.PathLike[str]
# A folder or its URL: "s3://bucket/folder"

SUFFIX = ".h5"

DAMAGED, STALE = ".damaged", ".stale"
# Suffixes of quarantined shards: damaged bytes, or inputs that have changed since

HEAD_BYTES = 1 << 17
# Bytes of an object that are fetched to read its keys; the header tables are at the start of the file

CACHE_BYTES = 4 << 30
# Size of the local LRU cache of an object store


@runtime_checkable
class Storage(Protocol):
    """A folder with one level of subfolders, one per kind of record."""

    def files(self) -> list[str]:
        """Return the names of the entries of the folder, without temporary files.

        Raises:
            InvalidInput: If the folder cannot be used.
        """
        ...

    def read_text(self, name: str) -> str:
        """Return the text of a file in the folder."""
        ...

    def write_text(self, name: str, text: str) -> None:
        """Write a file in the folder, atomically.

        Raises:
            InvalidInput: If the file cannot be written.
        """
        ...

    def shards(self, kind: str) -> list[str]:
        """Return the sorted names of the shards of a kind."""
        ...

    def fetch(self, kind: str, name: str) -> Path:
        """Return a local file with the content of a shard; raises InvalidInput or OSError if it is not available."""
        ...

    def fetch_head(self, kind: str, name: str) -> Path:
        """Return a local file like `fetch`, in which everything after the first `HEAD_BYTES` may be zeros."""
        ...

    def new_shard(self, kind: str, name: str) -> Any:
        """Return a context manager that yields a local path; the file becomes the shard if the block succeeds."""
        ...

    def quarantine(self, kind: str, name: str, suffix: str) -> None:
        """Rename a shard by appsuffix `DAMAGED` or `STALE`, so that it no longer counts as one."""
        ...

    def has_quarantined(self, kind: str) -> bool:
        """Return whether the folder contains quarantined shards of a kind."""
        ...

    def path(self, kind: str, name: str) -> str:
        """Return the path of a shard for messages."""
        ...


def open_storage(location: Location) -> Storage:
    """Open the storage at a path or URL; a local folder is created if it does not exist.

    Raises:
        InvalidInput: If the location cannot be used.
        MissingDependency: If a URL is given and fsspec, or its backend for this kind of URL, is not installed.
    """
    text = os.fspath(location)
    if "://" not in text:
        return LocalStorage(Path(text))
    filesystem, root = _filesystem(text)
    if "file" in _protocols(filesystem):
        return LocalStorage(Path(root))
    return RemoteStorage(filesystem, root, text)


class LocalStorage:
    """A local or mounted folder.

    Args:
        folder: Path of the folder; created if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def files(self) -> list[str]:
        """See `Storage`."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return [path.name for path in self.folder.iterdir() if not path.name.startswith(".tiepoint-")]
        except OSError as error:
            raise _unusable(self, error) from error

    def read_text(self, name: str) -> str:
        """See `Storage`."""
        return (self.folder / name).read_text(encoding="utf-8")

    def write_text(self, name: str, text: str) -> None:
        """See `Storage`."""
        with atomic_write(self.folder / name, durable=True) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def shards(self, kind: str) -> list[str]:
        """See `Storage`."""
        return sorted(filter(_is_shard, self._names(kind)))

    def fetch(self, kind: str, name: str) -> Path:
        """See `Storage`."""
        return self.folder / kind / name

    def fetch_head(self, kind: str, name: str) -> Path:
        """See `Storage`."""
        return self.fetch(kind, name)

    @contextmanager
    def new_shard(self, kind: str, name: str) -> Iterator[Path]:
        """See `Storage`."""
        folder = self.folder / kind
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise _unusable(folder, error) from error
        with atomic_write(folder / name) as temporary:
            yield temporary

    def quarantine(self, kind: str, name: str, suffix: str) -> None:
        """See `Storage`."""
        path = self.folder / kind / name
        with suppress(OSError):  # the store may be read-only
            path.replace(path.with_name(path.name + suffix))

    def has_quarantined(self, kind: str) -> bool:
        """See `Storage`."""
        return any(map(_is_quarantined, self._names(kind)))

    def path(self, kind: str, name: str) -> str:
        """See `Storage`."""
        return str(self.folder / kind / name)

    def _names(self, kind: str) -> list[str]:
        folder = self.folder / kind
        if not folder.is_dir():
            return []
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]


class RemoteStorage:
    """Object storage: shards are written locally, uploaded as one object each, and read through a local cache.

    Args:
        filesystem: fsspec filesystem.
        root: Path of the folder in the filesystem.
        url: URL of the folder, for messages.
        cache_bytes: Size of the local cache.
    """

    def __init__(self, filesystem: Any, root: str, url: str, cache_bytes: int = CACHE_BYTES) -> None:
        self._filesystem = filesystem
        self._root = root.rstrip("/")
        self._url = url.rstrip("/")
        self._cache = DiskCache(cache_bytes)

    def __str__(self) -> str:
        return self._url

    def files(self) -> list[str]:
        """See `Storage`."""
        return self._list(self._root)

    def read_text(self, name: str) -> str:
        """See `Storage`."""
        return self._filesystem.cat_file(f"{self._root}/{name}").decode()

    def write_text(self, name: str, text: str) -> None:
        """See `Storage`."""
        with self._translate_errors():
            self._filesystem.pipe_file(f"{self._root}/{name}", text.encode())

    def shards(self, kind: str) -> list[str]:
        """See `Storage`."""
        return sorted(filter(_is_shard, self._list(f"{self._root}/{kind}")))

    def fetch(self, kind: str, name: str) -> Path:
        """See `Storage`."""
        local = self._cache.path(kind, name)
        if not self._cache.has(local):
            with atomic_write(local) as temporary, self._translate_errors():
                self._filesystem.get_file(f"{self._root}/{kind}/{name}", str(temporary))
            self._cache.add(local, local.stat().st_size)
        return local

    def fetch_head(self, kind: str, name: str) -> Path:
        """See `Storage`; small objects are fetched completely."""
        head, path = self._head(kind, name), f"{self._root}/{kind}/{name}"
        if self._cache.has(self._cache.path(kind, name)):
            return self.fetch(kind, name)
        if self._cache.has(head):
            return head
        with self._translate_errors():
            size = self._filesystem.size(path) or 0  # some filesystems do not report sizes
        if size <= HEAD_BYTES:
            return self.fetch(kind, name)
        with self._translate_errors():
            content = self._filesystem.cat_file(path, start=0, end=HEAD_BYTES)
        self._cache_head(head, content, size)
        return head

    @contextmanager
    def new_shard(self, kind: str, name: str) -> Iterator[Path]:
        """See `Storage`."""
        local = self._cache.path(kind, name)
        with atomic_write(local) as temporary:
            yield temporary
            with self._translate_errors():
                self._filesystem.put_file(str(temporary), f"{self._root}/{kind}/{name}")
        self._cache.remove(self._head(kind, name))
        self._cache.add(local, local.stat().st_size)

    def quarantine(self, kind: str, name: str, suffix: str) -> None:
        """See `Storage`."""
        for local in (self._cache.path(kind, name), self._head(kind, name)):
            self._cache.remove(local)
        path = f"{self._root}/{kind}/{name}"
        with suppress(OSError):  # the store may be read-only
            self._filesystem.mv(path, path + suffix)

    def has_quarantined(self, kind: str) -> bool:
        """See `Storage`."""
        return any(map(_is_quarantined, self._list(f"{self._root}/{kind}")))

    def path(self, kind: str, name: str) -> str:
        """See `Storage`."""
        return f"{self._url}/{kind}/{name}"

    def _list(self, folder: str) -> list[str]:
        self._filesystem.invalidate_cache()  # other processes write to the store too
        try:
            with self._translate_errors():
                return [
                    entry.rstrip("/").rpartition("/")[2]
                    for entry in self._filesystem.ls(folder, detail=False)
                ]
        except FileNotFoundError:  # object storage has no empty folders
            return []

    def _head(self, kind: str, name: str) -> Path:
        return self._cache.path(kind, f"{name}.head")

    def _cache_head(self, head: Path, content: bytes, size: int) -> None:
        """Store the first bytes of a file as a sparse file of the full size; HDF5 refuses truncated files."""
        with atomic_write(head) as temporary:
            temporary.write_bytes(content)
            os.truncate(temporary, size)
        self._cache.add(head, len(content))

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Convert any error of the filesystem, except FileNotFoundError, to a one-line InvalidInput."""
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as error:  # every fsspec filesystem raises its own types
            raise _unusable(self._url, error) from error


def _is_shard(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")


def _is_quarantined(name: str) -> bool:
    return name.endswith((SUFFIX + DAMAGED, SUFFIX + STALE))


def _filesystem(url: str) -> tuple[Any, str]:
    fsspec = import_optional("fsspec", purpose=f"access to {url}", install="fsspec")
    try:
        return fsspec.core.url_to_fs(url)
    except ImportError as error:  # s3fs, gcsfs, ...
        raise MissingDependency(f"cannot access {url}: {error}") from error
    except ValueError as error:
        raise InvalidInput(
            f"cannot access {url}: {error}; expected a local folder or a URL of fsspec"
        ) from error


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _unusable(location: object, error: Exception) -> InvalidInput:
    reason = getattr(error, "strerror", None) or first_line(error)
    return InvalidInput(f"cannot use {location} as a store: {reason}; choose another folder")
