"""nerfstudio: transforms.json, the images, and the points that Gaussians start from.

    transforms.json   one frame per image: intrinsics, distortion, pose
    images/           the images: hard links, or copies where links are impossible
    sparse_pc.ply     3-D points with their colors

Poses are camera-to-world with x to the right, y up and z backwards (OpenGL); the world is COLMAP's, unchanged
(`applied_transform` is the identity). Pixels have (0, 0) at the corner of the top-left pixel, as in COLMAP.

Source: docs.nerf.studio, "Data conventions"; nerfstudio, process_data/colmap_utils.py, `colmap_to_json`.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.output_paths import link_image, make_output_folder
from tiepoint.collection.export.ply import points_to_ply
from tiepoint.collection.export.sparse_model import ModelCamera, ModelImage, SparseModel, read_sparse_model
from tiepoint.io.folders import staged_files

TRANSFORMS, IMAGES, POINTS = "transforms.json", "images", "sparse_pc.ply"
OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])


def export_nerfstudio(collection: Collection, folder: str | os.PathLike[str] | None = None) -> Path:
    """Write a folder that nerfstudio and gsplat train from: `ns-train splatfacto --data FOLDER`.

    Args:
        collection: Reconstructed collection from `open_collection`.
        folder: Output folder, created if needed. None: `exports/nerfstudio` in the collection's folder.

    Returns:
        The output folder.

    Raises:
        InvalidInput: If there is no reconstruction, an image is missing, or a file cannot be written.
        MissingDependency: If pycolmap is not installed.
    """
    model = read_sparse_model(collection)
    target = make_output_folder(folder, collection.folder / "exports" / "nerfstudio")
    with staged_files(target) as staging:
        for image in model.images:
            link_image(image.path, staging / IMAGES / image.name)
        (staging / POINTS).write_bytes(points_to_ply(model))
        text = json.dumps(to_transforms(model), indent=2)
        (staging / TRANSFORMS).write_text(text + "\n", encoding="utf-8")
    return target


def to_transforms(model: SparseModel) -> dict[str, Any]:
    """Return the content of transforms.json; intrinsics stand at the top if all images have one camera."""
    shared = intrinsics(model.cameras[0]) if len(model.cameras) == 1 else {}
    frames = [
        _frame(image, {} if shared else intrinsics(model.cameras[image.camera])) for image in model.images
    ]
    identity = np.eye(4)[:3].tolist()
    return {
        "camera_model": "OPENCV",
        **shared,
        "applied_transform": identity,
        "ply_file_path": POINTS,
        "frames": frames,
    }


def intrinsics(camera: ModelCamera) -> dict[str, Any]:
    """Return the intrinsics by nerfstudio's names."""
    width, height = camera.image_size
    names = ("k1", "k2", "p1", "p2")
    return {
        "w": width,
        "h": height,
        "fl_x": camera.fx,
        "fl_y": camera.fy,
        "cx": camera.cx,
        "cy": camera.cy,
        **dict(zip(names, camera.distortion, strict=True)),
    }


def _frame(image: ModelImage, own_intrinsics: dict[str, Any]) -> dict[str, Any]:
    pose = np.vstack([image.world_from_cam, [0, 0, 0, 1]]) @ OPENGL_FROM_OPENCV
    return {
        "file_path": f"{IMAGES}/{image.name}",
        **own_intrinsics,
        "transform_matrix": pose.tolist(),
    }
