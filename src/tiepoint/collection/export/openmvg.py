"""OpenMVG: sfm_data.json with views, intrinsics, poses, points and their tracks.

Cameras look along +z with y down, as in COLMAP; a pose is the rotation from the world and the center of the camera.
Pixels have (0, 0) at the *center* of the top-left pixel. The format has one focal length per camera.

Source: OpenMVG, sfm/sfm_data_io_cereal.cpp (version 0.3), cameras/Camera_Pinhole_Brown.hpp; JSON archives of cereal.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.output_paths import make_output_folder
from tiepoint.collection.export.sparse_model import (
    ModelCamera,
    ModelImage,
    SparseModel,
    check_one_focal_length,
    read_sparse_model,
)
from tiepoint.geometry.colmap import HALF_PIXEL
from tiepoint.io.folders import staged_files

SFM_DATA = "sfm_data.json"
VERSION = "0.3"

NEW = 2**31
"""Flag of cereal's ids: an object, or the name of a type, that occurs for the first time."""
STATIC_TYPE = 2**30
"""cereal's id of an object that has the declared type."""


def export_openmvg(collection: Collection, folder: str | os.PathLike[str] | None = None) -> Path:
    """Write the reconstruction as OpenMVG's sfm_data.json.

    Args:
        collection: Reconstructed collection from `open_collection`.
        folder: Output folder, created if needed. None: `exports/openmvg` in the collection's folder.

    Returns:
        The output folder.

    Raises:
        InvalidInput: If there is no reconstruction, a camera has two focal lengths, or a file cannot be written.
        MissingDependency: If pycolmap is not installed.
    """
    model = read_sparse_model(collection)
    for camera in model.cameras:
        check_one_focal_length(camera, "OpenMVG's")
    target = make_output_folder(folder, collection.folder / "exports" / "openmvg")
    with staged_files(target) as staging:
        text = json.dumps(to_sfm_data(model), indent=1)
        (staging / SFM_DATA).write_text(text + "\n", encoding="utf-8")
    return target


def to_sfm_data(model: SparseModel) -> dict[str, Any]:
    """Return the content of sfm_data.json.

    Args:
        model: Reconstruction.
    """
    images = model.images
    return {
        "sfm_data_version": VERSION,
        "root_path": str(images[0].path.parents[images[0].name.count("/")]),
        "views": _entries(_view(model, index) for index in range(len(images))),
        "intrinsics": _entries(_intrinsics(model.cameras, first_id=len(images) + 1)),
        "extrinsics": _entries(map(_pose, images)),
        "structure": _entries(_point(model, index) for index in range(len(model.points))),
        "control_points": [],
    }


def _entries(values: Iterable[Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in enumerate(values)]


def _view(model: SparseModel, index: int) -> dict[str, Any]:
    image = model.images[index]
    width, height = model.cameras[image.camera].image_size
    folder, _, filename = image.name.rpartition("/")
    data = {
        "local_path": f"{folder}/" if folder else "",
        "filename": filename,
        "width": width,
        "height": height,
        "id_view": index,
        "id_intrinsic": image.camera,
        "id_pose": index,
    }
    return {"polymorphic_id": STATIC_TYPE, "ptr_wrapper": {"id": NEW + index + 1, "data": data}}


def _intrinsics(cameras: Iterable[ModelCamera], first_id: int) -> Iterable[dict[str, Any]]:
    types: dict[str, int] = {}  # name -> number; the name is written only the first time
    for index, camera in enumerate(cameras):
        name, distortion = _distortion(camera)
        is_new = name not in types
        number = types.setdefault(name, len(types) + 1)
        kind = (
            {"polymorphic_id": NEW + number, "polymorphic_name": name}
            if is_new
            else {"polymorphic_id": number}
        )
        width, height = camera.image_size
        data = {
            "width": width,
            "height": height,
            "focal_length": (camera.fx + camera.fy) / 2,
            "principal_point": [camera.cx - HALF_PIXEL, camera.cy - HALF_PIXEL],
            **distortion,
        }
        yield {**kind, "ptr_wrapper": {"id": NEW + first_id + index, "data": data}}


def _distortion(camera: ModelCamera) -> tuple[str, dict[str, list[float]]]:
    """Return the name of the camera model, and its distortion."""
    k1, k2, p1, p2 = camera.distortion
    if p1 or p2:
        return "pinhole_brown_t2", {"disto_t2": [k1, k2, 0.0, p1, p2]}
    if k1 or k2:
        return "pinhole_radial_k3", {"disto_k3": [k1, k2, 0.0]}
    return "pinhole", {}


def _pose(image: ModelImage) -> dict[str, Any]:
    return {
        "rotation": image.cam_from_world[:, :3].tolist(),
        "center": image.world_from_cam[:, 3].tolist(),
    }


def _point(model: SparseModel, index: int) -> dict[str, Any]:
    observations = [
        {
            "key": image,
            "value": {
                "id_feat": keypoint,
                "x": (model.images[image].points2d[keypoint] - HALF_PIXEL).tolist(),
            },
        }
        for image, keypoint in model.tracks[index].tolist()
    ]
    return {"X": model.points[index].tolist(), "observations": observations}
