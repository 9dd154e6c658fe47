"""Where shards lie: a local folder, or object storage by fsspec. Either way a shard appears whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.feature_store.disk_cache import Cache
from tiepoint.io.atomic import atomic_write

Location: TypeAlias = str | os.PathLike[str]
"""A folder, or the URL of one: "s3://bucket/folder"."""

SUFFIX = ".h5"
DAMAGED, STALE = ".damaged", ".stale"
"""What is added to the name of a shard that is set aside: its bytes can't be trusted, or what it was made of has changed."""

HEAD_BYTES = 1 << 17
"""So much of an object is fetched to learn what it holds; the tables that say so stand in front."""

CACHE_BYTES = 4 << 30
"""How much of an object store is kept on the local disk, the least recently read going first."""


@runtime_checkable
class Storage(Protocol):
    """A folder with one level of sub-folders, one a kind of record."""

    def files(self) -> list[str]:
        """Names of what is directly in it, temporary files left out. Raises InvalidInput where it can't be used."""
        ...

    def read_text(self, name: str) -> str:
        """The text of a file directly in it."""
        ...

    def write_text(self, name: str, text: str) -> None:
        """Write a file directly in it, whole or not at all. Raises InvalidInput where that can't be."""
        ...

    def shards(self, kind: str) -> list[str]:
        """Names of the shards of a kind, sorted."""
        ...

    def fetch(self, kind: str, name: str) -> Path:
        """A local file with the content of a shard. Raises InvalidInput or OSError where that can't be had."""
        ...

    def fetch_head(self, kind: str, name: str) -> Path:
        """The same, where what lies behind the first `HEAD_BYTES` may be zeros."""
        ...

    def adding(self, kind: str, name: str) -> Any:
        """A context that gives a local path; what was written there becomes the shard when it ends well."""
        ...

    def set_aside(self, kind: str, name: str, ending: str) -> None:
        """Give a shard a name that isn't a shard's, by adding `DAMAGED` or `STALE`."""
        ...

    def has_set_aside(self, kind: str) -> bool:
        """Whether `set_aside` has left something of a kind."""
        ...

    def path(self, kind: str, name: str) -> str:
        """How messages name a shard."""
        ...


def open_storage(location: Location) -> Storage:
    """The place at a path or URL; made where it doesn't exist.

    Raises:
        InvalidInput: it can't be used.
        MissingDependency: a URL, and fsspec isn't installed, or what it needs for this kind of URL.
    """
    text = os.fspath(location)
    if "://" not in text:
        return LocalStorage(Path(text))
    filesystem, root = _filesystem(text)
    if "file" in _protocols(filesystem):
        return LocalStorage(Path(root))
    return RemoteStorage(filesystem, root, text)


class LocalStorage:
    """A folder of this machine, or one that is mounted here.

    Args:
        folder: made where it doesn't exist.
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
    def adding(self, kind: str, name: str) -> Iterator[Path]:
        """See `Storage`."""
        folder = self.folder / kind
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise _unusable(folder, error) from error
        with atomic_write(folder / name) as temporary:
            yield temporary

    def set_aside(self, kind: str, name: str, ending: str) -> None:
        """See `Storage`."""
        path = self.folder / kind / name
        with suppress(OSError):  # a store may be read where it can't be written
            path.replace(path.with_name(path.name + ending))

    def has_set_aside(self, kind: str) -> bool:
        """See `Storage`."""
        return any(map(_is_set_aside, self._names(kind)))

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
    """Object storage: a shard is written to the local disk and uploaded as one object, and read through a cache.

    Args:
        filesystem: of fsspec.
        root: the folder, as this filesystem names it.
        url: the folder, as messages name it.
        cache_bytes: how much is kept on the local disk.
    """

    def __init__(self, filesystem: Any, root: str, url: str, cache_bytes: int = CACHE_BYTES) -> None:
        self._filesystem = filesystem
        self._root = root.rstrip("/")
        self._url = url.rstrip("/")
        self._cache = Cache(cache_bytes)

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
        with self._talking():
            self._filesystem.pipe_file(f"{self._root}/{name}", text.encode())

    def shards(self, kind: str) -> list[str]:
        """See `Storage`."""
        return sorted(filter(_is_shard, self._list(f"{self._root}/{kind}")))

    def fetch(self, kind: str, name: str) -> Path:
        """See `Storage`."""
        local = self._cache.path(kind, name)
        if not self._cache.holds(local):
            with atomic_write(local) as temporary, self._talking():
                self._filesystem.get_file(f"{self._root}/{kind}/{name}", str(temporary))
            self._cache.keep(local, local.stat().st_size)
        return local

    def fetch_head(self, kind: str, name: str) -> Path:
        """See `Storage`; a small object is fetched whole."""
        head, path = self._head(kind, name), f"{self._root}/{kind}/{name}"
        if self._cache.holds(self._cache.path(kind, name)):
            return self.fetch(kind, name)
        if self._cache.holds(head):
            return head
        with self._talking():
            size = self._filesystem.size(path) or 0  # not every kind of storage knows
        if size <= HEAD_BYTES:
            return self.fetch(kind, name)
        with self._talking():
            content = self._filesystem.cat_file(path, start=0, end=HEAD_BYTES)
        self._keep_head(head, content, size)
        return head

    @contextmanager
    def adding(self, kind: str, name: str) -> Iterator[Path]:
        """See `Storage`."""
        local = self._cache.path(kind, name)
        with atomic_write(local) as temporary:
            yield temporary
            with self._talking():
                self._filesystem.put_file(str(temporary), f"{self._root}/{kind}/{name}")
        self._cache.drop(self._head(kind, name))
        self._cache.keep(local, local.stat().st_size)

    def set_aside(self, kind: str, name: str, ending: str) -> None:
        """See `Storage`."""
        for local in (self._cache.path(kind, name), self._head(kind, name)):
            self._cache.drop(local)
        path = f"{self._root}/{kind}/{name}"
        with suppress(OSError):  # a store may be read where it can't be written
            self._filesystem.mv(path, path + ending)

    def has_set_aside(self, kind: str) -> bool:
        """See `Storage`."""
        return any(map(_is_set_aside, self._list(f"{self._root}/{kind}")))

    def path(self, kind: str, name: str) -> str:
        """See `Storage`."""
        return f"{self._url}/{kind}/{name}"

    def _list(self, folder: str) -> list[str]:
        self._filesystem.invalidate_cache()  # others write there too
        try:
            with self._talking():
                return [
                    entry.rstrip("/").rpartition("/")[2]
                    for entry in self._filesystem.ls(folder, detail=False)
                ]
        except FileNotFoundError:  # object storage knows no empty folders
            return []

    def _head(self, kind: str, name: str) -> Path:
        return self._cache.path(kind, f"{name}.head")

    def _keep_head(self, head: Path, content: bytes, size: int) -> None:
        """HDF5 opens no file that is shorter than it was; the rest is a hole, which takes no room."""
        with atomic_write(head) as temporary:
            temporary.write_bytes(content)
            os.truncate(temporary, size)
        self._cache.keep(head, len(content))

    @contextmanager
    def _talking(self) -> Iterator[None]:
        """Whatever object storage answers becomes one line, but that there is no such object."""
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as error:  # each of fsspec's filesystems raises errors of its own library
            raise _unusable(self._url, error) from error


def _is_shard(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")


def _is_set_aside(name: str) -> bool:
    return name.endswith((SUFFIX + DAMAGED, SUFFIX + STALE))


def _filesystem(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise MissingDependency(
            f"{url} is reached by fsspec, which isn't installed; run: python -m pip install fsspec"
        ) from error
    try:
        return fsspec.core.url_to_fs(url)
    except ImportError as error:  # s3fs, gcsfs …
        raise MissingDependency(f"{url} can't be reached: {error}") from error
    except ValueError as error:
        raise InvalidInput(f"{url} is no folder that fsspec can reach: {error}; name another") from error


def _protocols(filesystem: Any) -> tuple[str, ...]:
    found = filesystem.protocol
    return (found,) if isinstance(found, str) else tuple(found)


def _unusable(place: object, error: Exception) -> InvalidInput:
    reason = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
    return InvalidInput(f"can't use {place} as a store: {reason}; choose another folder")
