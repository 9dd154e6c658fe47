"""COLMAP's conventions: the one place where keypoints leave ours for them, and cameras get COLMAP's priors.

COLMAP reads files as they lie on the disk, without their EXIF orientation, and puts (0, 0) at the top-left *corner* of
the top-left pixel. So points are turned back to the file's raster here, and 0.5 is added; nowhere else.
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
"""COLMAP's default for unknown cameras: one focal length and one radial distortion coefficient."""

HALF_PIXEL = 0.5
"""From the center of the top-left pixel to its corner, where COLMAP's (0, 0) is."""


def raster_size(image_size: tuple[int, int], exif_orientation: int) -> tuple[int, int]:
    """(width, height) in px of the file's raster, from that of the upright image."""
    return swap_sides(image_size, exif_orientation)


def to_raster(
    points: Float[np.ndarray, "n 2"], image_size: tuple[int, int], exif_orientation: int
) -> Float[np.ndarray, "n 2"]:
    """Turn points back to how the file lies on the disk.

    Args:
        points: (x, y) in px of the upright image.
        image_size: (width, height) in px of the upright image.
        exif_orientation: 1 to 8.

    Returns:
        (x, y) in px of the file's raster; the center of its top-left pixel is still (0, 0).
    """
    orientation = ORIENTATIONS[exif_orientation]
    swapped = points[:, ::-1] if orientation.swaps_axes else points
    size = np.array(raster_size(image_size, exif_orientation), points.dtype)
    return np.where([orientation.flips_x, orientation.flips_y], size - 1 - swapped, swapped)


def from_raster(
    points: Float[np.ndarray, "n 2"], image_size: tuple[int, int], exif_orientation: int
) -> Float[np.ndarray, "n 2"]:
    """The inverse of `to_raster`; `image_size` is still that of the upright image."""
    orientation = ORIENTATIONS[exif_orientation]
    size = np.array(raster_size(image_size, exif_orientation), points.dtype)
    unflipped = np.where([orientation.flips_x, orientation.flips_y], size - 1 - points, points)
    return unflipped[:, ::-1] if orientation.swaps_axes else unflipped


def colmap_keypoints(features: Features) -> Float[np.ndarray, "n 2"]:
    """Keypoints as COLMAP has them: in the file's raster, its top-left corner at (0, 0); float32."""
    upright = features.keypoints.float().cpu().numpy()
    return to_raster(upright, features.image_size, features.exif_orientation) + np.float32(HALF_PIXEL)


def upright_points(points: Float[np.ndarray, "n 2"], features: Features) -> Float[np.ndarray, "n 2"]:
    """The inverse of `colmap_keypoints`, for any points of the image."""
    return from_raster(points - HALF_PIXEL, features.image_size, features.exif_orientation)


def colmap_camera(size: tuple[int, int], focal_px: float | None) -> Any:
    """A camera with COLMAP's priors: the EXIF focal length, else 1.2 times the longer side, which is said to be a guess.

    Args:
        size: (width, height) in px of the file's raster.
        focal_px: None: not known.
    """
    guess = DEFAULT_FOCAL_RATIO * max(size)
    camera = require_pycolmap().Camera.create_from_model_name(0, CAMERA_MODEL, focal_px or guess, *size)
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
def quiet_pycolmap() -> Generator[None]:
    """Let COLMAP log errors only, and afterwards as before: its log is of the whole process."""
    log = require_pycolmap().logging
    before = log.minloglevel
    log.minloglevel = log.ERROR.value
    try:
        yield
    finally:
        log.minloglevel = before
