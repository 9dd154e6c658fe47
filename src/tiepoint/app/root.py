"""Files below `--root`: names from requests, resolved, so that neither ".." nor a link leads out."""

import os
from pathlib import Path

from tiepoint.app.messages import RequestError
from tiepoint.image.listing import SUFFIXES, natural_order

UNRESOLVED = (OSError, RuntimeError, ValueError)  # missing; a loop of links; a name that no file can have


class Root:
    """A folder of images that requests name by relative paths with slashes.

    Args:
        folder: Folder; None if the server was started without one.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = None if folder is None else folder.resolve()

    def resolve(self, name: str) -> Path:
        """Return the real path of a file or folder.

        Args:
            name: Path relative to the root.

        Raises:
            RequestError: If there is no root, or the path does not exist below it.
        """
        if self.folder is None:
            raise RequestError("this server reads no folder; start it with: tiepoint app --root FOLDER", 404)
        missing = RequestError(f"not found below the root: {name[:200]!r}", 404)
        if "\0" in name or Path(name).is_absolute() or Path(name).drive:
            raise missing
        try:
            path = (self.folder / name).resolve(strict=True)
        except UNRESOLVED as error:
            raise missing from error
        if not path.is_relative_to(self.folder) or self._is_hidden(path):
            raise missing
        return path

    def image(self, name: str) -> Path:
        """Return the real path of an image file.

        Raises:
            RequestError: If it is not a file below the root.
        """
        path = self.resolve(name)
        if not path.is_file() or path.suffix.lower() not in SUFFIXES:
            raise RequestError(f"not an image file below the root: {name[:200]!r}", 404)
        return path

    def images(self, name: str, max_images: int) -> list[str]:
        """Return the names of the image files of a folder, without subfolders, in natural sort order.

        Links that lead out of the root are left out.

        Args:
            name: Path of the folder, relative to the root.
            max_images: Maximum number of files.

        Raises:
            RequestError: If it is not a folder below the root, or has no images or too many.
        """
        folder = self._folder(name)
        names = [entry.name for entry in os.scandir(folder) if Path(entry.name).suffix.lower() in SUFFIXES]
        found = [each for each in names if self._contains(folder / each)]
        if not found:
            raise RequestError(f"no images in {name or 'the root'!r}; choose another folder")
        if len(found) > max_images:
            raise RequestError(
                f"{len(found):,} images in {name or 'the root'!r}, which exceeds the limit of {max_images:,}; "
                "choose a smaller folder, or use the command line"
            )
        return [_join(name, each) for each in sorted(found, key=natural_order)]

    def listing(self, name: str) -> dict[str, list[str]]:
        """Return the names of the subfolders and images of a folder.

        Raises:
            RequestError: If it is not a folder below the root.
        """
        folder = self._folder(name)
        entries = [path for path in folder.iterdir() if self._contains(path)]
        folders = sorted((path.name for path in entries if path.is_dir()), key=natural_order)
        images = sorted(
            (path.name for path in entries if path.is_file() and path.suffix.lower() in SUFFIXES),
            key=natural_order,
        )
        return {"folders": folders, "images": images}

    def _folder(self, name: str) -> Path:
        folder = self.resolve(name or ".")
        if not folder.is_dir():
            raise RequestError(f"not a folder below the root: {name[:200]!r}", 404)
        return folder

    def _contains(self, path: Path) -> bool:
        """Return whether a real path is below the root and not hidden."""
        assert self.folder is not None
        try:
            real = path.resolve(strict=True)
        except UNRESOLVED:
            return False
        return (
            real.is_relative_to(self.folder)
            and not self._is_hidden(real)
            and not path.name.startswith(".")
            and (real.is_dir() or real.is_file())
        )

    def _is_hidden(self, path: Path) -> bool:
        assert self.folder is not None
        return any(part.startswith(".") for part in path.relative_to(self.folder).parts)


def _join(folder: str, name: str) -> str:
    return f"{folder.strip('/')}/{name}" if folder.strip("/.") else name
