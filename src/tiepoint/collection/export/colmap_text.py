"""COLMAP's text files: features for its `feature_importer`, matches for its `matches_importer --match_type raw`.

    FOLDER/features/<name>.txt   "n 128", then a line a keypoint: x y scale orientation and 128 bytes of a descriptor
    FOLDER/matches.txt           "name0 name1", a line "i j" a match, an empty line; all matches
    FOLDER/verified.txt          likewise, only those that fit the geometry of their pair

These descriptors are zeros: the format knows SIFT's bytes only, and matches that are imported don't need them. The
database that `export_colmap` writes says the same and more, in a fraction of the time; the text is for tools that
have no database.

Source: COLMAP's tutorial, "Feature Detection and Extraction" and "Feature Matching and Geometric Verification".
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.targets import inlier_matches, make_output_folder
from tiepoint.collection.run.completeness import warn_incomplete
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import colmap_keypoints
from tiepoint.io.atomic import atomic_write
from tiepoint.types import Features

SIFT_BYTES = 128
FEATURES, MATCHES, VERIFIED = "features", "matches.txt", "verified.txt"


def export_colmap_text(collection: Collection, folder: str | os.PathLike[str] | None = None) -> Path:
    """Write features and matches as the text files that COLMAP imports.

    Args:
        collection: from `open_collection`; what it lacks is told and left out.
        folder: where to; made where it doesn't exist. None: `exports/colmap-text` in the collection's folder.

    Returns:
        The folder.

    Raises:
        InvalidInput: a name holds a space, which the format can't tell from its separators; or a file can't be
            written.
    """
    _check_names([photograph.name for photograph in collection.photographs])
    warn_incomplete(collection)
    target = make_output_folder(folder, collection.folder / "exports" / "colmap-text")
    for photograph in collection.photographs:
        path = target / FEATURES / f"{photograph.name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_features(path, collection.features(photograph.name))
    _write_matches(target / MATCHES, collection, lambda name0, name1: collection.matches(name0, name1)[0])
    _write_matches(
        target / VERIFIED, collection, lambda name0, name1: inlier_matches(collection, name0, name1)
    )
    return target


def _check_names(names: list[str]) -> None:
    spaced = [name for name in names if len(name.split()) != 1]
    if spaced:
        raise InvalidInput(
            f"COLMAP's text files can't hold names with spaces, but {len(spaced)} have some, such as {spaced[0]!r}; "
            "rename them, or write the database (colmap)"
        )


def _write_features(path: Path, features: Features) -> None:
    scales = np.ones(len(features)) if features.scales is None else features.scales.cpu().numpy()
    turns = np.zeros(len(features)) if features.orientations is None else features.orientations.cpu().numpy()
    descriptor = " 0" * SIFT_BYTES
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f"{len(features)} {SIFT_BYTES}\n")
        for (x, y), scale, turn in zip(colmap_keypoints(features), scales, turns, strict=True):
            file.write(f"{x:.9g} {y:.9g} {scale:.9g} {turn:.9g}{descriptor}\n")  # 9 digits bring float32 back


def _write_matches(path: Path, collection: Collection, chosen: Callable[[str, str], np.ndarray]) -> None:
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for name0, name1 in collection.pairs():
            lines = "".join(f"{i} {j}\n" for i, j in chosen(name0, name1).tolist())
            file.write(f"{name0} {name1}\n{lines}\n")
