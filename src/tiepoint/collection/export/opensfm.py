"""OpenSfM and ODM: a project folder with images, features, matches, cameras and, if there is one, the reconstruction.

    images/                          hard links, or copies where links are impossible; "/" in names becomes "_"
    features/NAME.features.npz       points (x, y, size, angle), descriptors, colors
    matches/NAME_matches.pkl.gz      name of the other image -> inlier matches (k, 2)
    exif/NAME.exif                   camera, size, orientation, GPS position
    camera_models.json               intrinsics
    config.yaml                      settings that fit these files
    reconstruction.json, tracks.csv  of a reconstructed collection: poses, points and tracks

Coordinates are relative to the middle of the stored raster, in units of its longer side.

Source: OpenSfM, doc/source/dataset.rst; opensfm/dataset.py, features.py (version 3), io.py; src/map/src/tracks_manager.cc.
"""

import gzip
import json
import os
import pickle
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Integer, UInt8

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.opensfm_model import OpenSfMCameras, reconstruction_json, track_lines
from tiepoint.collection.export.output_paths import inlier_matches, link_image, make_output_folder
from tiepoint.collection.export.sparse_model import SparseModel, read_sparse_model
from tiepoint.collection.images import ImageRecord, camera_key
from tiepoint.collection.run.completeness import warn_incomplete
from tiepoint.collection.sfm.reconstruction import has_model
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import colmap_keypoints, raster_size
from tiepoint.image import read_image
from tiepoint.io.folders import staged_files
from tiepoint.types import Features

KEYPOINT_SIZE = 0.004
"""Size of keypoints, by which OpenSfM weights observations, in units of the longer side: its default standard deviation."""

FEATURES_VERSION = 3
PICKLE_PROTOCOL = 4  # OpenSfM's reader refuses how protocol 5 stores arrays

CONFIG = """\
# Features and matches are those of tiepoint: start at `opensfm create_tracks`.
feature_type: SIFT
feature_root: no
"""


def export_opensfm(collection: Collection, folder: str | os.PathLike[str] | None = None) -> Path:
    """Write a project of OpenSfM, which continues at `opensfm create_tracks`.

    Args:
        collection: Collection from `open_collection`; missing data is left out with a warning.
        folder: Output folder, created if needed. None: `exports/opensfm` in the collection's folder.

    Returns:
        The output folder. With a reconstruction it has `reconstruction.json` and `tracks.csv`, too.

    Raises:
        InvalidInput: If two names become one, an image is missing, the model does not fit the features, or a file cannot
            be written.
        MissingDependency: If pycolmap is not installed.
    """
    warn_incomplete(collection)
    names = project_names([image.name for image in collection.images])
    model = read_sparse_model(collection) if has_model(collection) else None
    cameras = OpenSfMCameras(model)
    target = make_output_folder(folder, collection.folder / "exports" / "opensfm")
    with staged_files(target) as staging:
        colors = {}
        for image in collection.images:
            features, name = collection.features(image.name), names[image.name]
            cameras.add(image.name, camera_key(image, features))
            link_image(image.path, staging / "images" / name)
            colors[image.name] = _write_features(
                staging / "features" / f"{name}.features.npz", image, features
            )
            exif = _exif(image, features, cameras.camera_of[image.name])
            _write_json(staging / "exif" / f"{name}.exif", exif)
        _write_matches(staging / "matches", collection, names)
        _write_json(staging / "camera_models.json", cameras.models)
        (staging / "config.yaml").write_text(CONFIG, encoding="utf-8")
        if model is not None:
            _write_model(staging, model, cameras, names, colors)
    return target


def project_names(names: list[str]) -> dict[str, str]:
    """Return the name of each image in the project, whose images are in one folder.

    Args:
        names: Names in the collection.

    Raises:
        InvalidInput: If two names become one.
    """
    taken: dict[str, str] = {}
    for name in names:
        other = taken.setdefault(name.replace("/", "_"), name)
        if other != name:
            raise InvalidInput(
                f"OpenSfM has all images in one folder, where {other!r} and {name!r} would have one name; rename one of them"
            )
    return {name: flat for flat, name in taken.items()}


def _write_features(path: Path, image: ImageRecord, features: Features) -> UInt8[np.ndarray, "n 3"]:
    """Write the features of an image, and return their colors."""
    path.parent.mkdir(exist_ok=True)
    size = raster_size(features.image_size, features.exif_orientation)
    keypoints = normalize(colmap_keypoints(features), size)
    points = np.zeros((len(keypoints), 4), np.float32)
    points[:, :2], points[:, 2] = keypoints, KEYPOINT_SIZE
    colors = _colors(image, features)
    np.savez_compressed(
        path,
        points=points,
        descriptors=features.descriptors.float().cpu().numpy(),
        colors=colors,
        segmentations=np.empty(0),
        instances=np.empty(0),
        segmentation_labels=np.empty(0),
        OPENSFM_FEATURES_VERSION=np.array(FEATURES_VERSION),
    )
    return colors


def normalize(points: Float[np.ndarray, "n 2"], size: tuple[int, int]) -> Float[np.ndarray, "n 2"]:
    """Map points of COLMAP's convention to OpenSfM's.

    Args:
        points: Coordinates (x, y) in px of the stored raster; the corner of the top-left pixel is (0, 0).
        size: Size (width, height) of the raster in px.

    Returns:
        Offsets from the middle of the image, in units of the longer side.
    """
    return (points - np.array(size, points.dtype) / 2) / max(size)


def _colors(image: ImageRecord, features: Features) -> UInt8[np.ndarray, "n 3"]:
    """Return the colors (red, green, blue) of the pixels under the keypoints."""
    pixels = read_image(image.path).to_array().channels
    if pixels.dtype != np.uint8:
        pixels = (pixels * 255).round().astype(np.uint8)
    height, width = pixels.shape[1:]
    x, y = features.keypoints.float().cpu().numpy().round().astype(int).T
    sampled = pixels[:, y.clip(0, height - 1), x.clip(0, width - 1)]
    return np.ascontiguousarray(np.broadcast_to(sampled, (3, len(x))).T)


def _exif(image: ImageRecord, features: Features, camera: str) -> dict[str, Any]:
    width, height = raster_size(features.image_size, features.exif_orientation)
    gps = {}
    if image.position is not None:
        gps = {"latitude": image.position.latitude_deg, "longitude": image.position.longitude_deg}
        if image.position.altitude_m is not None:
            gps["altitude"] = image.position.altitude_m
    return {
        "make": "unknown",
        "model": "unknown",
        "width": width,
        "height": height,
        "projection_type": "brown",
        "focal_ratio": 0,
        "orientation": image.exif_orientation,
        "capture_time": 0,
        "gps": gps,
        "camera": camera,
    }


def _write_matches(folder: Path, collection: Collection, names: Mapping[str, str]) -> None:
    """Write one file per image, with its pairs in which it is the first image."""
    folder.mkdir()
    found: dict[str, dict[str, Integer[np.ndarray, "k 2"]]] = defaultdict(dict)
    for name0, name1 in collection.pairs():
        matches = inlier_matches(collection, name0, name1)
        if len(matches):
            found[name0][names[name1]] = matches.astype(np.int32)
    for name, flat in names.items():
        with gzip.GzipFile(folder / f"{flat}_matches.pkl.gz", "wb", mtime=0) as file:
            pickle.dump(found[name], file, protocol=PICKLE_PROTOCOL)


def _write_model(
    folder: Path,
    model: SparseModel,
    cameras: OpenSfMCameras,
    names: Mapping[str, str],
    colors: Mapping[str, UInt8[np.ndarray, "n 3"]],
) -> None:
    for image in model.images:
        if image.name not in names or len(image.points2d) != len(colors[image.name]):
            raise InvalidInput(
                f"the model does not fit the features of the collection: {image.name!r} has other keypoints in the model; "
                "reconstruct again"
            )
    _write_json(folder / "reconstruction.json", [reconstruction_json(model, cameras, names)])
    lines = track_lines(model, names, colors, KEYPOINT_SIZE)
    with (folder / "tracks.csv").open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
