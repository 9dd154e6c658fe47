"""AliceVision (Meshroom): sfm_data.json with views, intrinsics, poses, points and their tracks.

Cameras look along +z with y down, as in COLMAP; a pose is the rotation from the world, in columns, and the center of the
camera. Focal lengths are in mm on a sensor of 36 mm; principal points are offsets from the middle of the image. Pixels
have (0, 0) at the *center* of the top-left pixel.

Source: AliceVision, sfmDataIO/jsonIO.cpp (version 1.2.4 of the format, which later versions read),
camera/DistortionBrown.cpp.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.output_paths import make_output_folder
from tiepoint.collection.export.sparse_model import ModelCamera, ModelImage, SparseModel, read_sparse_model
from tiepoint.geometry.colmap import HALF_PIXEL
from tiepoint.io.folders import staged_files

SFM_DATA = "sfm_data.json"
VERSION = (1, 2, 4)
SENSOR_WIDTH_MM = 36.0


def export_alicevision(collection: Collection, folder: str | os.PathLike[str] | None = None) -> Path:
    """Write the reconstruction as AliceVision's sfm_data.json, for Meshroom.

    Args:
        collection: Reconstructed collection from `open_collection`.
        folder: Output folder, created if needed. None: `exports/alicevision` in the collection's folder.

    Returns:
        The output folder.

    Raises:
        InvalidInput: If there is no reconstruction, or a file cannot be written.
        MissingDependency: If pycolmap is not installed.
    """
    model = read_sparse_model(collection)
    target = make_output_folder(folder, collection.folder / "exports" / "alicevision")
    with staged_files(target) as staging:
        text = json.dumps(to_sfm_data(model), indent=1)
        (staging / SFM_DATA).write_text(text + "\n", encoding="utf-8")
    return target


def to_sfm_data(model: SparseModel) -> dict[str, Any]:
    """Return the content of sfm_data.json; numbers are texts, as AliceVision writes them.

    Args:
        model: Reconstruction.
    """
    return {
        "version": _texts(VERSION),
        "views": [_view(model, index) for index in range(len(model.images))],
        "intrinsics": [_intrinsic(index, camera) for index, camera in enumerate(model.cameras)],
        "poses": [_pose(index, image) for index, image in enumerate(model.images)],
        "structure": [_landmark(model, index) for index in range(len(model.points))],
    }


def _texts(values: Iterable[float]) -> list[str]:
    return [repr(value) for value in values]


def _view(model: SparseModel, index: int) -> dict[str, Any]:
    image = model.images[index]
    width, height = model.cameras[image.camera].image_size
    return {
        "viewId": str(index),
        "poseId": str(index),
        "intrinsicId": str(image.camera),
        "path": str(image.path),
        "width": str(width),
        "height": str(height),
        "metadata": {},
    }


def _intrinsic(index: int, camera: ModelCamera) -> dict[str, Any]:
    width, height = camera.image_size
    k1, k2, p1, p2 = camera.distortion
    has_tangential = bool(p1 or p2)
    focal_mm = repr(camera.fx / width * SENSOR_WIDTH_MM)
    return {
        "intrinsicId": str(index),
        "width": str(width),
        "height": str(height),
        "sensorWidth": repr(SENSOR_WIDTH_MM),
        "sensorHeight": repr(SENSOR_WIDTH_MM * height / width),
        "serialNumber": str(index),
        "type": "brown" if has_tangential else "radial3",
        "initializationMode": "calibrated",
        "initialFocalLength": focal_mm,
        "focalLength": focal_mm,
        "pixelRatio": repr(camera.fx / camera.fy),
        "pixelRatioLocked": "true",
        "principalPoint": _texts((camera.cx - HALF_PIXEL - width / 2, camera.cy - HALF_PIXEL - height / 2)),
        "distortionInitializationMode": "calibrated",
        "distortionParams": _texts((k1, k2, 0.0, p1, p2) if has_tangential else (k1, k2, 0.0)),
        "locked": "false",
    }


def _pose(index: int, image: ModelImage) -> dict[str, Any]:
    transform = {
        "rotation": _texts(image.cam_from_world[:, :3].T.ravel().tolist()),
        "center": _texts(image.world_from_cam[:, 3].tolist()),
    }
    return {"poseId": str(index), "pose": {"transform": transform, "locked": "0"}}


def _landmark(model: SparseModel, index: int) -> dict[str, Any]:
    observations = [
        {
            "observationId": str(image),
            "featureId": str(keypoint),
            "x": _texts((model.images[image].points2d[keypoint] - HALF_PIXEL).tolist()),
            "scale": "0",
        }
        for image, keypoint in model.tracks[index].tolist()
    ]
    return {
        "landmarkId": str(index),
        "descType": "unknown",
        "color": _texts(model.colors[index].tolist()),
        "X": _texts(model.points[index].tolist()),
        "observations": observations,
    }
