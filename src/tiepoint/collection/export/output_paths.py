"""Output paths of exports, and the matches and images that they contain."""

import os
import shutil
from pathlib import Path

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.errors import InvalidInput


def make_output_folder(given: str | os.PathLike[str] | None, default: Path) -> Path:
    """Return the output folder of an export; it is created if needed.

    Args:
        given: Folder that the user chose; None for the default.
        default: Default folder.

    Raises:
        InvalidInput: If the folder cannot be created.
    """
    folder = default if given is None else Path(given)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"cannot create the folder {folder}: {error.strerror or error}; choose another output path"
        ) from error
    return folder


def output_file(given: str | os.PathLike[str] | None, default: Path) -> Path:
    """Return the output file of an export; the folder of the default is created, that of a given file must exist.

    Args:
        given: File that the user chose; None for the default.
        default: Default file.

    Raises:
        InvalidInput: If the folder of the default cannot be created.
    """
    return Path(given) if given is not None else make_output_folder(None, default.parent) / default.name


def inlier_matches(collection: Collection, name0: str, name1: str) -> np.ndarray:
    """Return the inlier matches of a pair, shape (k, 2): none if its estimation failed, all if it is not verified.

    Args:
        collection: Collection of the pair.
        name0: Name of image 0.
        name1: Name of image 1.
    """
    matches, _ = collection.matches(name0, name1)
    estimate = collection.geometry(name0, name1)
    return matches if estimate is None else matches[estimate.inliers]


def link_image(source: Path, target: Path) -> None:
    """Make a hard link to an image file, or a copy on another file system; the folder of the target is created.

    Args:
        source: Path of the image.
        target: Path of the link or copy.

    Raises:
        InvalidInput: If the image does not exist any more.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if not source.is_file():
        raise InvalidInput(f"image {str(source)!r} is not there any more; restore it, and export again")
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
