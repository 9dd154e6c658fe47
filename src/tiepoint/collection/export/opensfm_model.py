"""Cameras, reconstruction and tracks in OpenSfM's formats.

Cameras look along +z with y down, as in COLMAP; a pose is the axis-angle vector and the translation from the world.

Source: OpenSfM, opensfm/io.py; src/geometry/camera_distortions_functions.h; src/map/src/tracks_manager.cc.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from tiepoint.collection.export.sparse_model import ModelCamera, ModelImage, SparseModel
from tiepoint.collection.images import CameraKey
from tiepoint.geometry.colmap import require_pycolmap
from tiepoint.geometry.intrinsics import DEFAULT_FOCAL_RATIO

TRACKS_HEADER = "OPENSFM_TRACKS_VERSION_v2"
NO_LABEL = -1  # of segmentation and instance


class OpenSfMCameras:
    """The cameras of a project: those of the model, and priors of images that are not registered.

    Args:
        model: Reconstruction; None if there is none.

    Attributes:
        models: Identifier of a camera -> its entry in camera_models.json.
        camera_of: Name of an image -> identifier of its camera.
    """

    def __init__(self, model: SparseModel | None) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self.camera_of: dict[str, str] = {}
        if model is not None:
            self.models = {f"camera {i}": _camera(each) for i, each in enumerate(model.cameras)}
            self.camera_of = {image.name: f"camera {image.camera}" for image in model.images}

    def add(self, name: str, key: CameraKey) -> None:
        """Add an image; without a camera in the model it has the focal length of its EXIF data or a default prior.

        Args:
            name: Name of the image.
            key: Properties that the images of a camera have in common.
        """
        if name in self.camera_of:
            return
        width, height = key.raster_size
        focal_px = key.focal_px or DEFAULT_FOCAL_RATIO * max(key.raster_size)
        identifier = f"prior {key.folder or '.'} {width} {height} {focal_px:.3f}"
        prior = ModelCamera(image_size=key.raster_size, fx=focal_px, fy=focal_px, cx=width / 2, cy=height / 2)
        self.models[identifier] = _camera(prior)
        self.camera_of[name] = identifier


def reconstruction_json(
    model: SparseModel, cameras: OpenSfMCameras, names: Mapping[str, str]
) -> dict[str, Any]:
    """Return one entry of reconstruction.json.

    Args:
        model: Reconstruction.
        cameras: Cameras of the project.
        names: Name of an image -> its name in the project.
    """
    used = sorted({cameras.camera_of[image.name] for image in model.images})
    points = zip(model.points.tolist(), model.colors.tolist(), strict=True)
    return {
        "cameras": {identifier: cameras.models[identifier] for identifier in used},
        "shots": {
            names[image.name]: {
                "camera": cameras.camera_of[image.name],
                "rotation": _rotation_vector(image.cam_from_world[:, :3]).tolist(),
                "translation": image.cam_from_world[:, 3].tolist(),
            }
            for image in model.images
        },
        "points": {
            str(index): {"coordinates": position, "color": color}
            for index, (position, color) in enumerate(points)
        },
    }


def track_lines(
    model: SparseModel,
    names: Mapping[str, str],
    colors: Mapping[str, UInt8[np.ndarray, "n 3"]],
    keypoint_size: float,
) -> Iterator[str]:
    """Yield the lines of tracks.csv: image, track, keypoint, x, y, scale, color, segmentation, instance.

    Args:
        model: Reconstruction.
        names: Name of an image -> its name in the project.
        colors: Name of an image -> colors of its keypoints.
        keypoint_size: Size of keypoints in units of the longer side.
    """
    yield TRACKS_HEADER
    positions = [_normalized(model, image) for image in model.images]
    for track, observations in enumerate(model.tracks):
        for index, keypoint in observations.tolist():
            name = model.images[index].name
            x, y = positions[index][keypoint].tolist()
            color = colors[name][keypoint].tolist()
            values = (names[name], track, keypoint, x, y, keypoint_size, *color, NO_LABEL, NO_LABEL)
            yield "\t".join(map(str, values))


def _normalized(model: SparseModel, image: ModelImage) -> Float[np.ndarray, "m 2"]:
    size = model.cameras[image.camera].image_size
    return (image.points2d - np.array(size) / 2) / max(size)


def _camera(camera: ModelCamera) -> dict[str, Any]:
    width, height = camera.image_size
    longer = max(camera.image_size)
    return {
        "projection_type": "brown",
        "width": width,
        "height": height,
        "focal_x": camera.fx / longer,
        "focal_y": camera.fy / longer,
        "c_x": (camera.cx - width / 2) / longer,
        "c_y": (camera.cy - height / 2) / longer,
        **dict(zip(("k1", "k2", "p1", "p2"), camera.distortion, strict=True)),
        "k3": 0.0,
    }


def _rotation_vector(rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3"]:
    """Return axis times angle in radians, the angle in [0, pi]."""
    x, y, z, w = require_pycolmap().Rotation3d(np.ascontiguousarray(rotation)).quat
    axis = np.array([x, y, z]) * (1 if w >= 0 else -1)
    sine = float(np.linalg.norm(axis))
    return axis * (2 * np.arctan2(sine, abs(w)) / sine if sine > 0 else 2.0)
