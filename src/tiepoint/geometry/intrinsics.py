"""Cameras from the user, a file, EXIF data, or a default prior; undistortion."""

# pyright: reportUnnecessaryIsInstance=false, reportMissingTypeStubs=false
# The library validates values of users without a type checker; poselib has no stubs.

import logging
import os
from pathlib import Path

import numpy as np
import poselib
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.image.exif import read_focal_length_px
from tiepoint.types import Camera, CameraSource, ImageInfo, describe

logger = logging.getLogger(__name__)

# Default prior of the focal length, relative to the longer image side, as in COLMAP (45 degrees field of view)
DEFAULT_FOCAL_RATIO = 1.2

# Maximum distance of a principal point from the image center, relative to the image side
MAX_OFF_CENTER = 0.2

# Maximum relative difference of the image size that the principal point suggests from the given size
MAX_SIZE_DIFFERENCE = 0.1

# Maximum reprojection error in px of an undistorted point; the distortion is not invertible beyond
MAX_UNDISTORTION_ERROR_PX = 1e-3


def camera_for(
    given: Float[np.ndarray, "3 3"] | Camera | None, image: ImageInfo, *, name: str = "camera0"
) -> Camera:
    """Return the camera of an image.

    Args:
        given: Camera, or intrinsics matrix K; None uses EXIF data, else a default prior.
        image: Size and source of the image.
        name: Name of the argument, for messages.

    Raises:
        InvalidInput: If the intrinsics are invalid or belong to another image size, or are None for an unknown image.
    """
    if isinstance(given, Camera):
        _check_image_size(given, image.image_size, name)
        return given
    if given is not None:
        return camera_from_matrix(given, image.image_size, name=name)
    if image.image_size is None:
        raise InvalidInput(
            f"{name} is required for points of an unknown image; pass a Camera or a 3x3 matrix"
        )
    return (exif_camera(image.source, image.image_size) if image.source else None) or default_camera(
        image.image_size
    )


def camera_from_matrix(
    intrinsics: Float[np.ndarray, "3 3"], image_size: tuple[int, int] | None, *, name: str = "camera0"
) -> Camera:
    """Create a pinhole camera from an intrinsics matrix, and check that the principal point fits the image size.

    Args:
        intrinsics: Matrix K in px.
        image_size: Image size (width, height) in px; None is not checked.
        name: Name of the argument, for messages.

    Raises:
        InvalidInput: If the principal point suggests another image size. Pass a `Camera` if it is far from the center.
    """
    if not isinstance(intrinsics, np.ndarray):
        raise InvalidInput(
            f"{name}: expected a 3x3 NumPy array, a Camera or None, got {describe(intrinsics)}"
        )
    point = Camera.from_intrinsics(intrinsics, None).principal_point
    if image_size is not None:
        _check_center(point, image_size, name)
    return Camera.from_intrinsics(intrinsics, image_size)


def exif_camera(path: str | os.PathLike[str], image_size: tuple[int, int]) -> Camera | None:
    """Create a camera with the focal length of a photo's EXIF data, and the principal point in the center.

    Args:
        path: Path of the photo.
        image_size: Size (width, height) of the upright image in px.

    Returns:
        The camera; None if the file has no usable EXIF data.
    """
    focal = read_focal_length_px(path, image_size)
    return None if focal is None else _centered(focal, image_size, "exif")


def default_camera(image_size: tuple[int, int]) -> Camera:
    """Return the default prior: a focal length of 1.2 times the longer image side, as in COLMAP; its source is "default".

    Args:
        image_size: Size (width, height) of the upright image in px.
    """
    logger.info("default focal length for an image of %d x %d px", *image_size)
    return _centered(DEFAULT_FOCAL_RATIO * max(image_size), image_size, "default")


def parse_intrinsics(text: str, image_size: tuple[int, int] | None) -> Camera:
    """Parse intrinsics of the command line.

    Args:
        text: "f,cx,cy" or "fx,fy,cx,cy" in px, or path of a text file with these numbers or a 3x3 matrix, separated by
            whitespace or commas; the center of the top-left pixel is (0, 0).
        image_size: Image size (width, height) in px; None is not checked.

    Raises:
        InvalidInput: If the file cannot be read, the count of numbers is not 3, 4 or 9, or the intrinsics belong to
            another image size.
    """
    numbers = _read_numbers(text)
    if len(numbers) == 9:
        return camera_from_matrix(np.array(numbers).reshape(3, 3), image_size, name=f"the matrix in {text!r}")
    if len(numbers) not in (3, 4):
        raise InvalidInput(
            f"intrinsics {text!r}: expected f,cx,cy or fx,fy,cx,cy or a 3x3 matrix, got {len(numbers)} numbers"
        )
    fx, fy, cx, cy = (numbers[0], *numbers) if len(numbers) == 3 else numbers
    K = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    return camera_from_matrix(K, image_size, name=repr(text))


def undistort(points: Float[np.ndarray, "k 2"], camera: Camera) -> Float[np.ndarray, "k 2"]:
    """Remove the lens distortion from points.

    Args:
        points: Points (x, y) in px of the original image.
        camera: Camera of the image.

    Returns:
        Points (x, y) in px of a pinhole camera with the same intrinsics; `points` themselves without distortion.

    Raises:
        InvalidInput: If the distortion is not invertible at a point: strong distortion folds over the image border.
    """
    if not any(camera.distortion) or len(points) == 0:
        return points
    (fx, fy), (cx, cy) = camera.focal_lengths, camera.principal_point
    distorted = poselib.Camera("OPENCV", [fx, fy, cx, cy, *camera.distortion], 1, 1)
    rays = np.asarray(distorted.unproject(points))
    errors = np.linalg.norm(np.asarray(distorted.project(rays)) - points, axis=1)
    is_invalid = ~(errors < MAX_UNDISTORTION_ERROR_PX)  # including NaN
    if is_invalid.any():
        raise InvalidInput(
            f"cannot undistort {int(is_invalid.sum())} of {len(points)} points with (k1, k2, p1, p2) = "
            f"{camera.distortion}, the first at {tuple(points[is_invalid][0].tolist())} px; check the camera"
        )
    return rays * (fx, fy) + (cx, cy)


def _read_numbers(text: str) -> list[float]:
    numbers = _numbers(text)
    if numbers is not None:
        return numbers
    path = Path(text).expanduser()
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"intrinsics: expected numbers such as 1500,959.5,539.5, or a readable text file, got {text!r}"
        ) from error
    numbers = _numbers(content)
    if numbers is None:
        raise InvalidInput(f"{text!r}: expected numbers only: f,cx,cy or fx,fy,cx,cy or a 3x3 matrix")
    return numbers


def _numbers(text: str) -> list[float] | None:
    try:
        return [float(word) for word in text.replace(",", " ").replace(";", " ").split()]
    except ValueError:
        return None


def _centered(focal: float, image_size: tuple[int, int], source: CameraSource) -> Camera:
    width, height = image_size
    return Camera(
        model="SIMPLE_PINHOLE",
        image_size=image_size,
        params=(focal, (width - 1) / 2, (height - 1) / 2),
        source=source,
    )


def _check_image_size(camera: Camera, image_size: tuple[int, int] | None, name: str) -> None:
    if camera.image_size is None or image_size is None or camera.image_size == image_size:
        return
    (width, height), (w, h) = camera.image_size, image_size
    raise InvalidInput(
        f"{name}: expected a camera of the matched image, {w} x {h} px (width x height), got one of {width} x "
        f"{height} px; scale its parameters by {w / width:.4g}, or match the calibrated image"
    )


def _check_center(point: tuple[float, float], image_size: tuple[int, int], name: str) -> None:
    if _is_plausible_center(point, image_size):
        return
    raise InvalidInput(
        f"{name}: the principal point ({point[0]:.1f}, {point[1]:.1f}) suggests an image of about "
        f"{2 * point[0] + 1:.0f} x {2 * point[1] + 1:.0f} px, but the matched image has {image_size[0]} x "
        f"{image_size[1]} px; scale the intrinsics, or pass Camera.from_intrinsics(K, image_size) if they are correct"
    )


def _is_plausible_center(point: tuple[float, float], image_size: tuple[int, int]) -> bool:
    """Whether a principal point fits this image size, and not that of a resized or rotated image."""
    sides = [2 * value + 1 for value in point]  # of the image whose center the point is
    scale_x, scale_y = (side / given for side, given in zip(sides, image_size, strict=True))
    if _are_near_one(scale_x, scale_y):
        return True
    is_rescaled = abs(scale_x / scale_y - 1) < MAX_SIZE_DIFFERENCE / 2
    is_rotated = _are_near_one(
        *(side / given for side, given in zip(sides, reversed(image_size), strict=True))
    )
    is_far_off = max(abs(scale_x - 1), abs(scale_y - 1)) > 2 * MAX_OFF_CENTER
    return not (is_rescaled or is_rotated or is_far_off)


def _are_near_one(*scales: float) -> bool:
    return all(abs(scale - 1) <= MAX_SIZE_DIFFERENCE for scale in scales)
