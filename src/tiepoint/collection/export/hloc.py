"""The HDF5 files of hloc (Hierarchical-Localization): features.h5 and matches.h5, as its own readers expect them.

    features.h5   <name>/keypoints (n, 2), descriptors (d, n), scores (n,), image_size (2,)
    matches.h5    <name0>/<name1>/matches0 (n,), -1 = unmatched; matching_scores0 (n,)

In matches.h5 hloc writes "-" for the "/" in names, and so can't tell `a/b.jpg` from `a-b.jpg`. Its readers take any
width of numbers; hloc itself rounds to float16 and int16, which moves keypoints beyond 4,096 px by up to 2 px and
overflows at 32,768 of them, so here they are float32 and int32. hloc reads photographs without their EXIF
orientation: keypoints are in px of the file's raster, the center of its top-left pixel at (0, 0).

Source: https://github.com/cvg/Hierarchical-Localization, hloc/extract_features.py, match_features.py, utils/io.py.
"""

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.targets import make_output_folder
from tiepoint.collection.run.completeness import warn_incomplete
from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.geometry.colmap import raster_size, to_raster
from tiepoint.io.atomic import atomic_write
from tiepoint.types import Features

FEATURES, MATCHES = "features.h5", "matches.h5"


def export_hloc(collection: Collection, folder: str | os.PathLike[str] | None = None) -> Path:
    """Write features and matches as hloc's HDF5 files.

    Args:
        collection: from `open_collection`; what it lacks is told and left out.
        folder: where to; made where it doesn't exist. None: `exports/hloc` in the collection's folder.

    Returns:
        The folder.

    Raises:
        InvalidInput: two names that hloc can't tell apart, or a file can't be written.
        MissingDependency: h5py isn't installed.
    """
    h5py = _h5py()
    _check_names([photograph.name for photograph in collection.photographs])
    warn_incomplete(collection)
    target = make_output_folder(folder, collection.folder / "exports" / "hloc")
    counts: dict[str, int] = {}
    with atomic_write(target / FEATURES) as temporary, h5py.File(temporary, "w") as file:
        for photograph in collection.photographs:
            features = collection.features(photograph.name)
            counts[photograph.name] = len(features)
            _write_features(file.create_group(photograph.name), features)
    with atomic_write(target / MATCHES) as temporary, h5py.File(temporary, "w") as file:
        for name0, name1 in collection.pairs():
            group = file.create_group(pair_group(name0, name1))
            _write_matches(group, counts[name0], *collection.matches(name0, name1))
    return target


def pair_group(name0: str, name1: str) -> str:
    """The group of a pair in matches.h5, as hloc's `names_to_pair` makes it."""
    return f"{_flat(name0)}/{_flat(name1)}"


def _flat(name: str) -> str:
    return name.replace("/", "-")


def _check_names(names: list[str]) -> None:
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(_flat(name), name)
        if other != name:
            raise InvalidInput(
                f"hloc's matches.h5 can't tell {other!r} from {name!r}, as it writes - for /; "
                "rename one of them, or export another format"
            )


def _write_features(group: Any, features: Features) -> None:
    upright = features.keypoints.float().cpu().numpy()
    orientation = features.exif_orientation
    group["keypoints"] = to_raster(upright, features.image_size, orientation)
    group["descriptors"] = features.descriptors.float().cpu().numpy().T
    group["scores"] = features.scores.float().cpu().numpy()
    group["image_size"] = np.array(raster_size(features.image_size, orientation))


def _write_matches(group: Any, keypoints: int, matches: np.ndarray, scores: np.ndarray) -> None:
    matches0, scores0 = np.full(keypoints, -1, np.int32), np.zeros(keypoints, np.float32)
    matches0[matches[:, 0]] = matches[:, 1]
    scores0[matches[:, 0]] = scores
    group["matches0"], group["matching_scores0"] = matches0, scores0


def _h5py() -> ModuleType:
    try:
        import h5py
    except ImportError as error:
        raise MissingDependency(
            "hloc's files are HDF5, for which h5py isn't installed; run: python -m pip install h5py"
        ) from error
    return h5py
