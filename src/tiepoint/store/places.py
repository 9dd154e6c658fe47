"""Where shards lie: a local folder, or object storage by fsspec. Either way a shard appears whole or not at all."""

import os
import shutil
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.files import replacing

Location: TypeAlias = str | os.PathLike[str]
"""A folder, or the URL of one: "s3://bucket/folder"."""

SUFFIX = ".h5"
DAMAGED = ".damaged"  # added to the name of a shard that can't be trusted
CACHE_BYTES = 4 << 30
"""How much of an object store is kept on the local disk, the least recently read going first."""


@runtime_checkable
class Place(Protocol):
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

    def adding(self, kind: str, name: str) -> Any:
        """A context that gives a local path; what was written there becomes the shard when it ends well."""
        ...

    def set_aside(self, kind: str, name: str) -> None:
        """Give a shard a name that isn't a shard's."""
        ...

    def path(self, kind: str, name: str) -> str:
        """How messages name a shard."""
        ...


def open_place(location: Location) -> Place:
    """The place at a path or URL; made where it doesn't exist.

    Raises:
        InvalidInput: it can't be used.
        MissingDependency: a URL, and fsspec isn't installed, or what it needs for this kind of URL.
    """
    text = os.fspath(location)
    if "://" not in text:
        return LocalPlace(Path(text))
    filesystem, root = _filesystem(text)
    if "file" in _protocols(filesystem):
        return LocalPlace(Path(root))
    return RemotePlace(filesystem, root, text)


class LocalPlace:
    """A folder of this machine, or one that is mounted here.

    Args:
        folder: made where it doesn't exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def files(self) -> list[str]:
        """See `Place`."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return [path.name for path in self.folder.iterdir() if not path.name.startswith(".tiepoint-")]
        except OSError as error:
            raise _unusable(self, error) from error

    def read_text(self, name: str) -> str:
        """See `Place`."""
        return (self.folder / name).read_text(encoding="utf-8")

    def write_text(self, name: str, text: str) -> None:
        """See `Place`."""
        with replacing(self.folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def shards(self, kind: str) -> list[str]:
        """See `Place`."""
        folder = self.folder / kind
        if not folder.is_dir():
            return []
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if _is_shard(entry.name))

    def fetch(self, kind: str, name: str) -> Path:
        """See `Place`."""
        return self.folder / kind / name

    @contextmanager
    def adding(self, kind: str, name: str) -> Iterator[Path]:
        """See `Place`."""
        folder = self.folder / kind
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise _unusable(folder, error) from error
        with replacing(folder / name) as temporary:
            yield temporary

    def set_aside(self, kind: str, name: str) -> None:
        """See `Place`."""
        path = self.folder / kind / name
        with suppress(OSError):  # a store may be read where it can't be written
            path.rename(path.with_name(path.name + DAMAGED))

    def path(self, kind: str, name: str) -> str:
        """See `Place`."""
        return str(self.folder / kind / name)


class RemotePlace:
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
        self._scratch = Path(tempfile.mkdtemp(prefix="tiepoint-store-"))
        weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
        self._cached: OrderedDict[Path, int] = OrderedDict()
        self._cache_bytes = cache_bytes

    def __str__(self) -> str:
        return self._url

    def files(self) -> list[str]:
        """See `Place`."""
        return self._list(self._root)

    def read_text(self, name: str) -> str:
        """See `Place`."""
        return self._filesystem.cat_file(f"{self._root}/{name}").decode()

    def write_text(self, name: str, text: str) -> None:
        """See `Place`."""
        with self._talking():
            self._filesystem.pipe_file(f"{self._root}/{name}", text.encode())

    def shards(self, kind: str) -> list[str]:
        """See `Place`."""
        return sorted(filter(_is_shard, self._list(f"{self._root}/{kind}")))

    def fetch(self, kind: str, name: str) -> Path:
        """See `Place`."""
        local = self._local(kind, name)
        if local not in self._cached:
            local.parent.mkdir(exist_ok=True)
            with replacing(local) as temporary, self._talking():
                self._filesystem.get_file(f"{self._root}/{kind}/{name}", str(temporary))
            self._keep(local)
        self._cached.move_to_end(local)
        return local

    @contextmanager
    def adding(self, kind: str, name: str) -> Iterator[Path]:
        """See `Place`."""
        local = self._local(kind, name)
        local.parent.mkdir(exist_ok=True)
        with replacing(local) as temporary:
            yield temporary
            with self._talking():
                self._filesystem.put_file(str(temporary), f"{self._root}/{kind}/{name}")
        self._keep(local)

    def set_aside(self, kind: str, name: str) -> None:
        """See `Place`."""
        self._cached.pop(self._local(kind, name), None)
        path = f"{self._root}/{kind}/{name}"
        with suppress(OSError):  # a store may be read where it can't be written
            self._filesystem.mv(path, path + DAMAGED)

    def path(self, kind: str, name: str) -> str:
        """See `Place`."""
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

    def _local(self, kind: str, name: str) -> Path:
        return self._scratch / kind / name

    def _keep(self, local: Path) -> None:
        self._cached[local] = local.stat().st_size
        while len(self._cached) > 1 and sum(self._cached.values()) > self._cache_bytes:
            oldest, _ = self._cached.popitem(last=False)
            oldest.unlink(missing_ok=True)

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
