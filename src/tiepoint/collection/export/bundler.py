"""Bundler: bundle.out and list.txt, which Metashape, Meshlab, CMVS and many others import.

    bundle.out   version 0.3: focal length, k1, k2, rotation and translation of each image; points with their tracks
    list.txt     one path of an image per line, in the same order

Cameras look along -z with y up; pixels are relative to the principal point with y up. The format has neither a
principal point nor tangential distortion nor a second focal length: a principal point away from the middle is removed
from the observations, the others are refused.

Source: Snavely, Bundler User's Manual v0.4, "Output format and scene representation".
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.output_paths import make_output_folder
from tiepoint.collection.export.sparse_model import (
    ModelCamera,
    ModelImage,
    SparseModel,
    check_one_focal_length,
    read_sparse_model,
)
from tiepoint.errors import InvalidInput
from tiepoint.io.folders import staged_files

BUNDLE, LIST = "bundle.out", "list.txt"
HEADER = "# Bundle file v0.3"
Y_UP = np.diag([1.0, -1.0, -1.0])


def export_bundler(collection: Collection, folder: str | os.PathLike[str] | None = None) -> Path:
    """Write cameras, points and tracks of the reconstruction as Bundler does.

    Args:
        collection: Reconstructed collection from `open_collection`.
        folder: Output folder, created if needed. None: `exports/bundler` in the collection's folder.

    Returns:
        The output folder.

    Raises:
        InvalidInput: If there is no reconstruction, a camera cannot be written, or a file cannot be written.
        MissingDependency: If pycolmap is not installed.
    """
    model = read_sparse_model(collection)
    check_bundler(model)
    target = make_output_folder(folder, collection.folder / "exports" / "bundler")
    with staged_files(target) as staging:
        write_bundle(model, staging)
    return target


def check_bundler(model: SparseModel) -> None:
    """Check that Bundler's files can hold a model.

    Args:
        model: Reconstruction.

    Raises:
        InvalidInput: If a camera cannot be written, or a path has a line break.
    """
    for camera in model.cameras:
        _check_camera(camera)
    for image in model.images:
        if "\n" in str(image.path):
            raise InvalidInput(
                f"Bundler's list has one path per line, which {image.name!r} breaks; rename it"
            )


def write_bundle(model: SparseModel, folder: Path) -> None:
    """Write bundle.out and list.txt.

    Args:
        model: Reconstruction that `check_bundler` accepts.
        folder: Existing folder.
    """
    with (folder / BUNDLE).open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in _lines(model))
    (folder / LIST).write_bytes(b"".join(os.fsencode(image.path) + b"\n" for image in model.images))


def _lines(model: SparseModel) -> Iterator[str]:
    yield HEADER
    yield f"{len(model.images)} {len(model.points)}"
    for image in model.images:
        yield from _camera_lines(image, model.cameras[image.camera])
    for position, color, track in zip(model.points, model.colors, model.tracks, strict=True):
        yield _numbers(position)
        yield " ".join(map(str, color.tolist()))
        yield " ".join(
            [str(len(track)), *(_view(model, image, keypoint) for image, keypoint in track.tolist())]
        )


def _camera_lines(image: ModelImage, camera: ModelCamera) -> Iterator[str]:
    yield _numbers(np.array([camera.fx, *camera.distortion[:2]]))
    pose = Y_UP @ image.cam_from_world
    yield from map(_numbers, pose[:, :3])
    yield _numbers(pose[:, 3])


def _view(model: SparseModel, image: int, keypoint: int) -> str:
    """Return one observation: image, keypoint, and its position from the principal point with y up."""
    camera = model.cameras[model.images[image].camera]
    x, y = model.images[image].points2d[keypoint]
    return f"{image} {keypoint} {x - camera.cx:.4f} {camera.cy - y:.4f}"


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.12g}" for value in values.tolist())


def _check_camera(camera: ModelCamera) -> None:
    check_one_focal_length(camera, "Bundler's")
    if any(camera.distortion[2:]):
        raise InvalidInput(
            "Bundler's files have no tangential distortion, which a camera of this model has; undistort the images with "
            "COLMAP first"
        )
