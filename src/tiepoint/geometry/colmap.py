"""COLMAP models and conventions: the only place where coordinates and cameras are converted from and to COLMAP's.

COLMAP ignores the EXIF orientation of a file, and (0, 0) is the top-left *corner* of its top-left pixel. Points are
therefore mapped to the raster of the file, and 0.5 is added.
"""

import math
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap_integrity import check_binary_model
from tiepoint.geometry.intrinsics import DEFAULT_FOCAL_RATIO
from tiepoint.image.exif import ORIENTATIONS, swap_sides
from tiepoint.io.optional import import_optional
from tiepoint.types import Camera, Features

CAMERA_MODEL = "SIMPLE_RADIAL"
# COLMAP's default for images without known intrinsics: one focal length, one distortion coefficient

HALF_PIXEL = 0.5
# Offset from the center of the top-left pixel to its corner, the origin in COLMAP


def raster_size(image_size: tuple[int, int], exif_orientation: int) -> tuple[int, int]:
    """Return the size (width, height) in px of the file's raster from that of the upright image."""
    return swap_sides(image_size, exif_orientation)


def to_raster(
    points: Float[np.ndarray, "n 2"], image_size: tuple[int, int], exif_orientation: int
) -> Float[np.ndarray, "n 2"]:
    """Map points from the upright image to the file's raster.

    Args:
        points: Coordinates (x, y) in px of the upright image, shape (n, 2).
        image_size: Size (width, height) of the upright image in px.
        exif_orientation: EXIF orientation of the file, 1 to 8.

    Returns:
        Coordinates (x, y) in px of the file's raster, shape (n, 2); the center of its top-left pixel is still (0, 0).
    """
    orientation = ORIENTATIONS[exif_orientation]
    swapped = points[:, ::-1] if orientation.swaps_axes else points
    size = np.array(raster_size(image_size, exif_orientation), points.dtype)
    return np.where([orientation.flips_x, orientation.flips_y], size - 1 - swapped, swapped)


def from_raster(
    points: Float[np.ndarray, "n 2"], image_size: tuple[int, int], exif_orientation: int
) -> Float[np.ndarray, "n 2"]:
    """Map points from the file's raster to the upright image; the inverse of `to_raster` with the same arguments."""
    orientation = ORIENTATIONS[exif_orientation]
    size = np.array(raster_size(image_size, exif_orientation), points.dtype)
    unflipped = np.where([orientation.flips_x, orientation.flips_y], size - 1 - points, points)
    return unflipped[:, ::-1] if orientation.swaps_axes else unflipped


def colmap_keypoints(features: Features) -> Float[np.ndarray, "n 2"]:
    """Return keypoints in COLMAP's convention, shape (n, 2), float32: file's raster, top-left corner at (0, 0)."""
    upright = features.keypoints.float().cpu().numpy()
    return to_raster(upright, features.image_size, features.exif_orientation) + np.float32(HALF_PIXEL)


def upright_points(points: Float[np.ndarray, "n 2"], features: Features) -> Float[np.ndarray, "n 2"]:
    """Map points from COLMAP's convention to the upright image; the inverse of `colmap_keypoints`."""
    return from_raster(points - HALF_PIXEL, features.image_size, features.exif_orientation)


def colmap_camera(size: tuple[int, int], focal_px: float | None) -> Any:
    """Create a `pycolmap.Camera` with a prior of the focal length.

    Args:
        size: Size (width, height) of the file's raster in px.
        focal_px: Focal length in px from EXIF data; None uses COLMAP's default of 1.2 times the longer side, which is
            not flagged as a prior.
    """
    default = DEFAULT_FOCAL_RATIO * max(size)
    camera = require_pycolmap().Camera.create_from_model_name(0, CAMERA_MODEL, focal_px or default, *size)
    camera.has_prior_focal_length = focal_px is not None
    return camera


def read_reconstruction(path: str | os.PathLike[str], *, extra: str = "collection") -> Any:
    """Read a COLMAP model, binary or text, as a `pycolmap.Reconstruction`.

    Its images and cameras are COLMAP's: in the file's raster, with the corner of the top-left pixel at (0, 0). Convert
    them with `cam_from_world` and `camera_from_colmap`.

    Args:
        path: Folder with cameras, images and points3D.
        extra: Extra of tiepoint that the error message names if pycolmap is not installed.

    Raises:
        InvalidInput: If there is no model, or it is damaged.
        MissingDependency: If pycolmap is not installed.
    """
    pycolmap = require_pycolmap(extra)
    check_binary_model(Path(path), pycolmap)
    try:
        with quiet_pycolmap():
            return pycolmap.Reconstruction(str(path))
    except (ValueError, RuntimeError, IndexError, OSError) as error:
        reason = " ".join(str(error).split())
        raise InvalidInput(
            f"cannot read {path} as a COLMAP model ({reason}); expected a folder with cameras, images and points3D"
        ) from error


def cam_from_world(image: Any) -> Float[np.ndarray, "3 4"]:
    """Return the pose of a `pycolmap.Image`, [R | t] with X_cam = R X_world + t.

    Raises:
        InvalidInput: If the image has no pose, or its rotation is invalid.
    """
    pose = image.cam_from_world() if image.has_pose else None
    if pose is None or not math.isclose(np.linalg.norm(pose.rotation.quat), 1, abs_tol=1e-6):
        raise InvalidInput(f"image {image.name} of the COLMAP model has no valid pose")
    return pose.matrix()


def camera_from_colmap(camera: Any) -> Camera:
    """Convert a `pycolmap.Camera`: the center of the top-left pixel moves from (0.5, 0.5) to (0, 0).

    Raises:
        InvalidInput: If the camera model is not one of `tiepoint.types.CAMERA_MODELS`, or a parameter is invalid.
    """
    params = np.array(camera.params, np.float64)
    params[camera.principal_point_idxs()] -= HALF_PIXEL
    return Camera(
        model=camera.model_name, image_size=(camera.width, camera.height), params=tuple(params.tolist())
    )


def require_pycolmap(extra: str = "collection") -> ModuleType:
    """Import pycolmap.

    Args:
        extra: Extra of tiepoint that the error message names.

    Raises:
        MissingDependency: If pycolmap is not installed.
    """
    return import_optional(
        "pycolmap", purpose="reading and writing COLMAP files", install=f"tiepoint[{extra}]"
    )


@contextmanager
def quiet_pycolmap(*, silent: bool = False) -> Generator[None]:
    """Restrict COLMAP's process-wide log to errors within a block.

    Args:
        silent: Whether to hide errors, too, for calls that return whether they failed.
    """
    log = require_pycolmap().logging
    before = log.minloglevel
    log.minloglevel = (log.FATAL if silent else log.ERROR).value
    try:
        yield
    finally:
        log.minloglevel = before
