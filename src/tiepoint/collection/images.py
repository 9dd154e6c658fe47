"""Photographs of a folder: names, contents, and what their headers say; no pixels."""

import hashlib
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import PIL.Image
from PIL.ExifTags import Base as ExifTag

from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import raster_size
from tiepoint.image.exif import (
    GPSPosition,
    read_focal_length_px,
    read_orientation,
    read_position,
    swap_sides,
)
from tiepoint.image.listing import find_images
from tiepoint.image.opening import open_pillow
from tiepoint.types import Features

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """One photograph of a collection.

    Attributes:
        name: its path relative to the folder, with "/" between folders; unique in the collection.
        path: where the file is.
        digest: 16 hexadecimal digits of the SHA-256 of its content.
        image_size: (width, height) in px of the upright image, as the header gives it.
        exif_orientation: 1 to 8.
        position: where it was taken, where EXIF says so.
        size_bytes: of the file.
        modified_ns: when the file was last changed; with `size_bytes`, how an unchanged file is told.
    """

    name: str
    path: Path
    digest: str
    image_size: tuple[int, int]
    exif_orientation: int = 1
    position: GPSPosition | None = None
    size_bytes: int = 0
    modified_ns: int = 0

    @property
    def key(self) -> str:
        """The key of its records: another content under the same name is another key."""
        return f"{self.name}@{self.digest}"


class CameraKey(NamedTuple):
    """Properties that images of one camera have in common; images with equal keys may share a camera."""

    folder: str
    raster_size: tuple[int, int]
    focal_px: float | None


def camera_key(image: ImageRecord, features: Features) -> CameraKey:
    """Return folder, raster size (width, height) in px and EXIF focal length in px of an image."""
    focal_px = read_focal_length_px(image.path, features.image_size)
    size = raster_size(features.image_size, features.exif_orientation)
    return CameraKey(image.name.rpartition("/")[0], size, focal_px)


def scan_images(
    folder: str | os.PathLike[str], remembered: Iterable[ImageRecord] = ()
) -> tuple[tuple[ImageRecord, ...], tuple[str, ...]]:
    """Read contents and headers of all photographs of a folder and its sub-folders.

    Args:
        folder: with photographs, and anything else.
        remembered: of an earlier call; files whose size and time of change are the same aren't read again.

    Returns:
        Photographs in natural order of their names ("2.jpg" before "10.jpg"); and a line for every file that can't
        be used.

    Raises:
        InvalidInput: there is no such folder, or it can't be read.
    """
    known = {photograph.name: photograph for photograph in remembered}
    photographs, problems = [], []
    for path in find_images(folder):
        name = path.relative_to(folder).as_posix()
        try:
            _check_name(name)
            photographs.append(_unchanged(known.get(name), path) or read_image_record(path, name))
        except (InvalidInput, OSError) as error:
            problems.append(_problem(path, error))
    return tuple(photographs), tuple(problems)


def read_image_record(path: Path, name: str) -> ImageRecord:
    """Read content and header of one file.

    Raises:
        InvalidInput: it is no image, or its header is damaged.
        OSError: it can't be read.
    """
    with path.open("rb") as stream:
        status = os.fstat(stream.fileno())
        digest = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        image_size, orientation = _read_header(stream, path)
    return ImageRecord(
        name=name,
        path=path,
        digest=digest,
        image_size=image_size,
        exif_orientation=orientation,
        position=read_position(path),
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
    )


def group_by_content(photographs: Iterable[ImageRecord]) -> tuple[tuple[ImageRecord, ...], ...]:
    """Groups of photographs of the same content, in the order of their first ones; most are groups of one."""
    groups: dict[str, list[ImageRecord]] = {}
    for photograph in photographs:
        groups.setdefault(photograph.digest, []).append(photograph)
    return tuple(map(tuple, groups.values()))


def name_from_key(key: str) -> str:
    """The name of a photograph, from its key."""
    return key.rpartition("@")[0]


def image_to_dict(photograph: ImageRecord) -> dict[str, Any]:
    """What JSON can hold; the folder isn't part of it, so that photographs may move."""
    values = asdict(photograph)
    del values["path"]
    return values


def image_from_dict(record: Mapping[str, Any], folder: str | os.PathLike[str]) -> ImageRecord:
    """The inverse of `image_to_dict`, for photographs that now are in `folder`."""
    position = record["position"]
    typed = {
        "path": Path(folder) / record["name"],
        "image_size": tuple(record["image_size"]),
        "position": None if position is None else GPSPosition(*position),
    }
    return ImageRecord(**{**record, **typed})


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"{name!r}: the name isn't UTF-8, and most programs that a collection is for can't read it; rename it"
        ) from error
    if "\n" in name or "\r" in name:
        raise InvalidInput(
            f"{name!r}: the name holds a line break, and lists of pairs have a line a pair; rename it"
        )


def _unchanged(known: ImageRecord | None, path: Path) -> ImageRecord | None:
    if known is None or known.path != path:
        return None
    status = path.stat()
    same = (status.st_size, status.st_mtime_ns) == (known.size_bytes, known.modified_ns)
    return known if same else None


def _read_header(stream: BinaryIO, path: Path) -> tuple[tuple[int, int], int]:
    stream.seek(0)
    image = open_pillow(stream, repr(str(path)))  # type: ignore[arg-type]
    orientation = read_orientation(image, repr(str(path)))
    return swap_sides(_raster_size(image), orientation), orientation


def _raster_size(image: PIL.Image.Image) -> tuple[int, int]:
    """As the pixels lie in the file; Pillow says of a TIFF, depending on its version, what it will be upright."""
    tags = getattr(image, "tag_v2", None)
    return image.size if tags is None else (tags[ExifTag.ImageWidth], tags[ExifTag.ImageLength])


def _problem(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{str(path)!r} can't be read: {error.strerror or error}"
    return str(error)
