"""COLMAP's text files: features for `feature_importer`, matches for `matches_importer --match_type raw`.

    FOLDER/features/<name>.txt   "n 128", then one line per keypoint: x y scale orientation and a descriptor of 128 bytes
    FOLDER/matches.txt           "name0 name1", one line "i j" per match, an empty line; all matches
    FOLDER/verified.txt          the same with only the inlier matches

The descriptors are zeros: the format holds only SIFT bytes, and imported matches do not need them. The database of
`export_colmap` has the same content and more, and is written much faster; the text files are for tools without database
support.

Source: COLMAP's tutorial, "Feature Detection and Extraction" and "Feature Matching and Geometric Verification".
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.output_paths import inlier_matches, make_output_folder
from tiepoint.collection.pairs.pairs_file import check_plain_names
from tiepoint.collection.run.completeness import warn_incomplete
from tiepoint.geometry.colmap import colmap_keypoints
from tiepoint.io.atomic import atomic_write
from tiepoint.io.folders import staged_files
from tiepoint.types import Features

SIFT_BYTES = 128
FEATURES, MATCHES, VERIFIED = "features", "matches.txt", "verified.txt"


def export_colmap_text(collection: Collection, folder: str | os.PathLike[str] | None = None) -> Path:
    """Write features and matches as the text files that COLMAP imports.

    Args:
        collection: Collection from `open_collection`; missing data is left out with a warning.
        folder: Output folder, created if needed. None: `exports/colmap-text` in the collection's folder.

    Returns:
        The output folder.

    Raises:
        InvalidInput: If an image name contains white space or starts with "#", which the format cannot hold, or a file cannot be written.
    """
    check_plain_names(image.name for image in collection.images)
    warn_incomplete(collection)
    target = make_output_folder(folder, collection.folder / "exports" / "colmap-text")
    with staged_files(target) as staging:
        for image in collection.images:
            path = staging / FEATURES / f"{image.name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_features(path, collection.features(image.name))
        _write_matches(
            staging / MATCHES, collection, lambda name0, name1: collection.matches(name0, name1)[0]
        )
        _write_matches(
            staging / VERIFIED, collection, lambda name0, name1: inlier_matches(collection, name0, name1)
        )
    return target


def _write_features(path: Path, features: Features) -> None:
    count = len(features)
    scales = np.ones(count) if features.scales is None else features.scales.cpu().numpy()
    angles = np.zeros(count) if features.orientations is None else features.orientations.cpu().numpy()
    descriptor = " 0" * SIFT_BYTES
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f"{count} {SIFT_BYTES}\n")
        for (x, y), scale, angle in zip(colmap_keypoints(features), scales, angles, strict=True):
            file.write(
                f"{x:.9g} {y:.9g} {scale:.9g} {angle:.9g}{descriptor}\n"
            )  # 9 digits round-trip float32


def _write_matches(path: Path, collection: Collection, select: Callable[[str, str], np.ndarray]) -> None:
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for name0, name1 in collection.pairs():
            lines = "".join(f"{i} {j}\n" for i, j in select(name0, name1).tolist())
            file.write(f"{name0} {name1}\n{lines}\n")
