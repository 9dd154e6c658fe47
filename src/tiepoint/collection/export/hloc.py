"""The files of hloc (Hierarchical-Localization): features.h5, matches.h5 and pairs.txt, as hloc's readers expect them.

    features.h5   <name>/keypoints (n, 2), descriptors (d, n), scores (n,), image_size (2,)
    matches.h5    <name0>/<name1>/matches0 (n,), -1 = unmatched; matching_scores0 (n,)
    pairs.txt     "<name0> <name1>", one line per pair

In matches.h5, hloc replaces the "/" in names by "-" and so cannot distinguish `a/b.jpg` from `a-b.jpg`. Its readers accept
any numeric precision; hloc itself rounds to float16 and int16, which moves keypoints beyond 4,096 px by up to 2 px and
overflows at 32,768 keypoints, so float32 and int32 are written here. hloc ignores the EXIF orientation: keypoints are
in px of the stored raster, with the center of the top-left pixel at (0, 0).

Source: https://github.com/cvg/Hierarchical-Localization, hloc/extract_features.py, match_features.py, utils/io.py.
"""

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.output_paths import make_output_folder
from tiepoint.collection.pairs.pairs_file import check_plain_names, write_plain_pairs
from tiepoint.collection.run.completeness import warn_incomplete
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import raster_size, to_raster
from tiepoint.io.folders import staged_files
from tiepoint.io.optional import import_optional
from tiepoint.types import Features

FEATURES, MATCHES, PAIRS = "features.h5", "matches.h5", "pairs.txt"


def export_hloc(collection: Collection, folder: str | os.PathLike[str] | None = None) -> Path:
    """Write features and matches as hloc's HDF5 files, and the pairs as its text file.

    Args:
        collection: Collection from `open_collection`; missing data is left out with a warning.
        folder: Output folder, created if needed. None: `exports/hloc` in the collection's folder.

    Returns:
        The output folder.

    Raises:
        InvalidInput: If hloc cannot distinguish two image names, a name contains white space or starts with "#", or a file
            cannot be written.
        MissingDependency: If h5py is not installed.
    """
    h5py = _h5py()
    names = [image.name for image in collection.images]
    check_plain_names(names)
    _check_names(names)
    warn_incomplete(collection)
    target = make_output_folder(folder, collection.folder / "exports" / "hloc")
    num_keypoints: dict[str, int] = {}
    with staged_files(target) as staging:
        with h5py.File(staging / FEATURES, "w") as file:
            for image in collection.images:
                features = collection.features(image.name)
                num_keypoints[image.name] = len(features)
                _write_collection_features(file.create_group(image.name), features)
        with h5py.File(staging / MATCHES, "w") as file:
            for name0, name1 in collection.pairs():
                group = file.create_group(pair_group(name0, name1))
                write_matches(group, num_keypoints[name0], *collection.matches(name0, name1))
        write_plain_pairs(staging / PAIRS, collection.pairs())
    return target


def pair_group(name0: str, name1: str) -> str:
    """Return the group name of a pair in matches.h5, as from hloc's `names_to_pair`.

    Args:
        name0: Name of image 0.
        name1: Name of image 1.
    """
    return f"{_flatten(name0)}/{_flatten(name1)}"


def _flatten(name: str) -> str:
    return name.replace("/", "-")


def _check_names(names: list[str]) -> None:
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(_flatten(name), name)
        if other != name:
            raise InvalidInput(
                f"hloc's matches.h5 cannot distinguish {other!r} from {name!r}, because it writes - for /; "
                "rename one of them, or export another format"
            )


def write_features(
    group: Any,
    *,
    keypoints: Float[np.ndarray, "n 2"],
    descriptors: Float[np.ndarray, "n d"],
    scores: Float[np.ndarray, "n"],
    image_size: tuple[int, int],
) -> None:
    """Write the features of an image.

    Args:
        group: Group of the image in a feature file.
        keypoints: Keypoints (x, y) in px of the stored raster; the center of the top-left pixel is (0, 0).
        descriptors: Descriptors.
        scores: Detection scores.
        image_size: Size (width, height) of the stored raster in px.
    """
    group["keypoints"], group["descriptors"], group["scores"] = keypoints, descriptors.T, scores
    group["image_size"] = np.array(image_size)


def write_matches(
    group: Any, num_keypoints: int, matches: Integer[np.ndarray, "k 2"], scores: Float[np.ndarray, "k"]
) -> None:
    """Write the matches of a pair.

    Args:
        group: Group of the pair in a match file, see `pair_group`.
        num_keypoints: Number of keypoints of image 0.
        matches: Index pairs (keypoint of image 0, keypoint of image 1).
        scores: Score of each match.
    """
    matches0, scores0 = np.full(num_keypoints, -1, np.int32), np.zeros(num_keypoints, np.float32)
    matches0[matches[:, 0]] = matches[:, 1]
    scores0[matches[:, 0]] = scores
    group["matches0"], group["matching_scores0"] = matches0, scores0


def _write_collection_features(group: Any, features: Features) -> None:
    upright = features.keypoints.float().cpu().numpy()
    orientation = features.exif_orientation
    write_features(
        group,
        keypoints=to_raster(upright, features.image_size, orientation),
        descriptors=features.descriptors.float().cpu().numpy(),
        scores=features.scores.float().cpu().numpy(),
        image_size=raster_size(features.image_size, orientation),
    )


def _h5py() -> ModuleType:
    return import_optional("h5py", purpose="export to hloc's HDF5 files", install="tiepoint[collection]")
