"""Where exports go, and which matches of a pair they take."""

import os
from pathlib import Path

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.errors import InvalidInput


def make_output_folder(given: str | os.PathLike[str] | None, default: Path) -> Path:
    """The folder of an export, made where it doesn't exist.

    Raises:
        InvalidInput: it can't be made.
    """
    folder = default if given is None else Path(given)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"can't make {folder}: {error.strerror or error}; name another place") from error
    return folder


def output_file(given: str | os.PathLike[str] | None, default: Path) -> Path:
    """The file of an export; the default's folder is made, a given one's must exist.

    Raises:
        InvalidInput: the default's folder can't be made.
    """
    return Path(given) if given is not None else make_output_folder(None, default.parent) / default.name


def inlier_matches(collection: Collection, name0: str, name1: str) -> np.ndarray:
    """(k, 2) matches of a pair that fit its geometry; none where that failed, all where nobody looked."""
    matches, _ = collection.matches(name0, name1)
    estimate = collection.verified(name0, name1)
    return matches if estimate is None else matches[estimate.inliers]
