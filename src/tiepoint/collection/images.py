"""Records of the images of a folder: name, content digest and header fields; no pixels are decoded."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import PIL.Image
from PIL.ExifTags import Base as ExifTag

from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import raster_size
from tiepoint.image.exif import GPSPosition, read_focal_length_px, read_orientation, read_position, swap_sides
from tiepoint.image.listing import find_images
from tiepoint.image.opening import open_pillow
from tiepoint.io.hashing import SHORT_DIGEST_LENGTH, file_digest
from tiepoint.types import Features


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """One image of a collection.

    Attributes:
        name: Path relative to the image folder, with "/" as separator; unique in the collection.
        path: Path of the file.
        digest: First 16 hexadecimal digits of the SHA-256 of the file's content.
        image_size: Size (width, height) of the upright image in px, from the header.
        exif_orientation: EXIF orientation, 1 to 8.
        position: GPS position from the EXIF data; None if there is none.
        size_bytes: File size in bytes.
        modified_ns: Modification time in ns; unchanged files are recognized by it and `size_bytes`.
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
        """Key of the image's records in the stores; it changes with the content of the file."""
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
    folder: str | os.PathLike[str], previous: Iterable[ImageRecord] = ()
) -> tuple[tuple[ImageRecord, ...], tuple[str, ...]]:
    """Read content digests and headers of all images of a folder and its subfolders.

    Args:
        folder: Image folder; files that are not images are ignored.
        previous: Records of an earlier scan; files with the same size and modification time are not read again.

    Returns:
        Image records in natural sort order of their names ("2.jpg" before "10.jpg"), and one message per unusable file.

    Raises:
        InvalidInput: If the folder does not exist or cannot be read.
    """
    known = {image.name: image for image in previous}
    images, problems = [], []
    for path in find_images(folder):
        name = path.relative_to(folder).as_posix()
        try:
            _check_name(name)
            images.append(_unchanged(known.get(name), path) or read_image_record(path, name))
        except (InvalidInput, OSError) as error:
            problems.append(_problem(path, error))
    return tuple(images), tuple(problems)


def read_image_record(path: Path, name: str) -> ImageRecord:
    """Read the content digest and the header of one image file.

    Args:
        path: Path of the file.
        name: Name of the image in the collection.

    Raises:
        InvalidInput: If the file is not an image or its header is damaged.
        OSError: If the file cannot be read.
    """
    with path.open("rb") as stream:
        status = os.fstat(stream.fileno())
        image_size, orientation = _read_header(stream, path)
    return ImageRecord(
        name=name,
        path=path,
        digest=file_digest(path)[:SHORT_DIGEST_LENGTH],
        image_size=image_size,
        exif_orientation=orientation,
        position=read_position(path),
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
    )


def group_by_content(images: Iterable[ImageRecord]) -> tuple[tuple[ImageRecord, ...], ...]:
    """Group images with identical content (exact duplicates), in the order of the first image of each group."""
    groups: dict[str, list[ImageRecord]] = {}
    for image in images:
        groups.setdefault(image.digest, []).append(image)
    return tuple(map(tuple, groups.values()))


def name_from_key(key: str) -> str:
    """Return the image name that a record key contains."""
    return key.rpartition("@")[0]


def image_to_dict(image: ImageRecord) -> dict[str, Any]:
    """Return a JSON-compatible dict without the path, so that the image folder can be moved."""
    values = asdict(image)
    del values["path"]
    return values


def image_from_dict(values: Mapping[str, Any], folder: str | os.PathLike[str]) -> ImageRecord:
    """Return the image record of a dict from `image_to_dict`.

    Args:
        values: Dict from `image_to_dict`.
        folder: Current image folder.
    """
    position = values["position"]
    typed = {
        "path": Path(folder) / values["name"],
        "image_size": tuple(values["image_size"]),
        "position": None if position is None else GPSPosition(*position),
    }
    return ImageRecord(**{**values, **typed})


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"{name!r}: the file name is not valid UTF-8, which most SfM programs cannot read; rename the file"
        ) from error
    if "\n" in name or "\r" in name:
        raise InvalidInput(
            f"{name!r}: the file name contains a line break, which pair lists cannot hold; rename the file"
        )


def _unchanged(known: ImageRecord | None, path: Path) -> ImageRecord | None:
    if known is None or known.path != path:
        return None
    status = path.stat()
    is_same = (status.st_size, status.st_mtime_ns) == (known.size_bytes, known.modified_ns)
    return known if is_same else None


def _read_header(stream: BinaryIO, path: Path) -> tuple[tuple[int, int], int]:
    """Return the upright size (width, height) in px and the EXIF orientation."""
    image = open_pillow(stream, repr(str(path)))  # type: ignore[arg-type]
    orientation = read_orientation(image, repr(str(path)))
    return swap_sides(_stored_size(image), orientation), orientation


def _stored_size(image: PIL.Image.Image) -> tuple[int, int]:
    """Return (width, height) of the stored raster; for a TIFF, some versions of Pillow report the upright size."""
    tags = getattr(image, "tag_v2", None)
    return image.size if tags is None else (tags[ExifTag.ImageWidth], tags[ExifTag.ImageLength])


def _problem(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot read {str(path)!r}: {error.strerror or error}"
    return str(error)
