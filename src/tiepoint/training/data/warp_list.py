"""List of the warps in a folder, `warps.json`: files with their homographies, checked."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.io.hashing import file_digest, short_digest

WARPS = "warps.json"
"""File of the homographies in a folder of warps."""

FORMAT = 2

MAX_CONDITION = (
    1e12  # condition number of a homography; above it, the inverse has no correct digits left in px
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WarpFile:
    """Image file of a warp.

    Attributes:
        path: Path of the file.
        size: Size (width, height) in px.
        homography: Homography image_from_warp, in px.
        digest: Digest of the file's content.
    """

    path: Path
    size: tuple[int, int]
    homography: Float[np.ndarray, "3 3"]
    digest: str

    def check_content(self) -> None:
        """Check that the file is the one whose homography was recorded.

        Raises:
            InvalidInput: If it is missing or has another content.
        """
        try:
            found = file_digest(self.path)
        except OSError as error:
            raise InvalidInput(f"cannot read {self.path}: {error.strerror or error}") from error
        if found != self.digest:
            raise InvalidInput(
                f"{self.path} is not the file that {WARPS} describes; write the warps again, and extract their features"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class WarpedImage:
    """All warps of an image.

    Attributes:
        key: Digest of the content of the image.
        source: Path of the image.
        warps: Files of its warps.
    """

    key: str
    source: str
    warps: tuple[WarpFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WarpList:
    """All images with warps in a folder.

    Attributes:
        images: Images with their warps.
        settings: Settings of the warps by name; empty if they were not recorded.
        digest: Digest of the whole list.
    """

    images: tuple[WarpedImage, ...]
    settings: dict[str, Any]
    digest: str


def read_warps(folder: Path) -> WarpList:
    """Read the list of warps of a folder written by `write_warps`.

    Args:
        folder: Folder of the warps.

    Raises:
        InvalidInput: If the file is missing, damaged, of another format, or has invalid values.
    """
    path = folder / WARPS
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise ValueError(f"expected format {FORMAT}, got {content['format']!r}")
        images = tuple(_warped_image(folder, entry) for entry in content["images"])
        _check_distinct("image", (image.key for image in images))
        _check_distinct("file", (str(file.path) for image in images for file in image.warps))
        settings = dict(content.get("settings", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InvalidInput(f"cannot read {path}: {what}; write the warps again") from error
    return WarpList(images=images, settings=settings, digest=short_digest(text))


def _warped_image(folder: Path, entry: dict[str, Any]) -> WarpedImage:
    key, source = str(entry["key"]), str(entry["source"])
    warps = tuple(_warp_file(folder, warp) for warp in entry["warps"])
    if len(warps) < 2:
        raise ValueError(f"expected at least 2 warps of {source}, got {len(warps)}")
    return WarpedImage(key=key, source=source, warps=warps)


def _warp_file(folder: Path, entry: dict[str, Any]) -> WarpFile:
    name = str(entry["file"])
    if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        raise ValueError(f"expected a file inside the folder, got {name!r}")
    return WarpFile(
        path=folder / name,
        size=_size(name, entry["size"]),
        homography=_homography(name, entry["image_from_warp"]),
        digest=str(entry["digest"]),
    )


def _size(name: str, value: Any) -> tuple[int, int]:
    match value:
        case [int(width), int(height)] if width > 0 and height > 0:
            return width, height
        case _:
            raise ValueError(f"expected two positive integers as size of {name}, got {value!r}")


def _homography(name: str, value: Any) -> Float[np.ndarray, "3 3"]:
    matrix = np.array(value, np.float64)
    is_valid = matrix.shape == (3, 3) and bool(np.isfinite(matrix).all())
    if not is_valid or np.linalg.cond(matrix) > MAX_CONDITION:
        raise ValueError(f"expected a finite, invertible 3 x 3 homography of {name}, got {value!r}")
    return matrix


def _check_distinct(what: str, names: Iterable[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(f"{what} {repeated[0]} is listed more than once")
