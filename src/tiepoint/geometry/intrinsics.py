"""Where intrinsics are from: the user, a file, the photograph's EXIF data, or a guess that is said to be one."""

import logging
import os
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.image.exif import read_focal_length_px
from tiepoint.types import Camera, CameraSource, ImageInfo, describe

logger = logging.getLogger(__name__)

GUESSED_FOCAL = 1.2
"""Focal length as a multiple of the image's longer side, where nothing is known: COLMAP's default, 45 degrees wide."""

MAX_OFF_CENTER = 0.2
"""How far from the center a principal point may lie, as a share of the side."""

MAX_RESCALED = 0.1
"""By how much both sides of the image that a principal point is the center of may differ from the given size."""


def camera_for(
    given: Float[np.ndarray, "3 3"] | Camera | None, side: ImageInfo, *, name: str = "camera0"
) -> Camera:
    """The camera of one image.

    Args:
        given: a camera, or a matrix of intrinsics; None: from the photograph's EXIF data, else a guess.
        side: the image.
        name: how messages call `given`.

    Raises:
        InvalidInput: intrinsics of another image size, or a matrix that can't be one; or None for points of which
            no image is known.
    """
    if isinstance(given, Camera):
        _check_image_size(given, side.image_size, name)
        return given
    if given is not None:
        return camera_from_matrix(given, side.image_size, name=name)
    if side.image_size is None:
        raise InvalidInput(f"{name} must be given for points without an image: pass a 3x3 matrix or a Camera")
    return (exif_camera(side.source, side.image_size) if side.source else None) or guess_camera(
        side.image_size
    )


def camera_from_matrix(
    intrinsics: Float[np.ndarray, "3 3"], image_size: tuple[int, int] | None, *, name: str = "camera0"
) -> Camera:
    """A pinhole camera of a matrix whose image size isn't written beside it, and so is checked against `image_size`.

    Raises:
        InvalidInput: the principal point says that the matrix belongs to an image of another size. Pass a `Camera`
            where it really is far from the center.
    """
    if not isinstance(intrinsics, np.ndarray):
        raise InvalidInput(
            f"{name} must be a 3x3 NumPy array, a Camera or None, but came as {describe(intrinsics)}"
        )
    point = Camera.from_intrinsics(intrinsics, None).principal_point
    if image_size is not None:
        _check_center(point, image_size, name)
    return Camera.from_intrinsics(intrinsics, image_size)


def exif_camera(path: str | os.PathLike[str], image_size: tuple[int, int]) -> Camera | None:
    """A camera with the focal length of the photograph's EXIF data, and the principal point in the center.

    Args:
        path: the photograph.
        image_size: (width, height) in px of the upright image.

    Returns:
        None where the file says nothing of it.
    """
    focal = read_focal_length_px(path, image_size)
    return None if focal is None else _centerd(focal, image_size, "exif")


def guess_camera(image_size: tuple[int, int]) -> Camera:
    """A camera where nothing is known: 1.2 times the longer side, as COLMAP guesses; its source is "guess"."""
    logger.info("focal length guessed for an image of %d x %d px", *image_size)
    return _centerd(GUESSED_FOCAL * max(image_size), image_size, "guess")


def parse_intrinsics(text: str, image_size: tuple[int, int] | None) -> Camera:
    """Read intrinsics from a text of the command line.

    Args:
        text: "f,cx,cy" or "fx,fy,cx,cy" in px, or the path of a text file with those numbers or a 3x3 matrix,
            separated by spaces, commas or lines; the center of the top-left pixel is (0, 0).
        image_size: (width, height) in px of the image that they belong to; None: not checked.

    Raises:
        InvalidInput: no such file, something else than 3, 4 or 9 numbers, or intrinsics of another image size.
    """
    numbers = _read_numbers(text)
    if len(numbers) == 9:
        return camera_from_matrix(np.array(numbers).reshape(3, 3), image_size, name=f"the matrix in {text!r}")
    if len(numbers) not in (3, 4):
        raise InvalidInput(
            f"intrinsics must be f,cx,cy or fx,fy,cx,cy or a 3x3 matrix, but {text!r} holds {len(numbers)} numbers"
        )
    fx, fy, cx, cy = (numbers[0], *numbers) if len(numbers) == 3 else numbers
    K = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    return camera_from_matrix(K, image_size, name=repr(text))


def _read_numbers(text: str) -> list[float]:
    numbers = _numbers(text)
    if numbers is not None:
        return numbers
    path = Path(text).expanduser()
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"intrinsics {text!r} are neither numbers, such as 1500,959.5,539.5, nor a text file that can be read"
        ) from error
    numbers = _numbers(content)
    if numbers is None:
        raise InvalidInput(f"{text!r} must hold numbers only: f,cx,cy or fx,fy,cx,cy or a 3x3 matrix")
    return numbers


def _numbers(text: str) -> list[float] | None:
    try:
        return [float(word) for word in text.replace(",", " ").replace(";", " ").split()]
    except ValueError:
        return None


def _centerd(focal: float, image_size: tuple[int, int], source: CameraSource) -> Camera:
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
        f"{name} is of a {width} x {height} image, but {w} x {h} px were matched (width x height); "
        f"multiply its parameters in px by {w / width:.4g}, or match the image that was calibrated"
    )


def _check_center(point: tuple[float, float], image_size: tuple[int, int], name: str) -> None:
    if _is_plausible_center(point, image_size):
        return
    raise InvalidInput(
        f"{name} seems to be of an image of about {2 * point[0] + 1:.0f} x {2 * point[1] + 1:.0f} px, by its "
        f"principal point ({point[0]:.1f}, {point[1]:.1f}), but {image_size[0]} x {image_size[1]} px were "
        "matched; scale the intrinsics, or pass Camera.from_intrinsics(K, image_size) if it is right"
    )


def _is_plausible_center(point: tuple[float, float], image_size: tuple[int, int]) -> bool:
    """Whether a principal point belongs to an image of this size, and not to a larger, a smaller or a turned one."""
    sides = [2 * value + 1 for value in point]  # of the image that the point is the center of
    scale_x, scale_y = (side / given for side, given in zip(sides, image_size, strict=True))
    if _are_near_one(scale_x, scale_y):
        return True
    rescaled = abs(scale_x / scale_y - 1) < MAX_RESCALED / 2
    turned = _are_near_one(*(side / given for side, given in zip(sides, reversed(image_size), strict=True)))
    far_off = max(abs(scale_x - 1), abs(scale_y - 1)) > 2 * MAX_OFF_CENTER
    return not (rescaled or turned or far_off)


def _are_near_one(*scales: float) -> bool:
    return all(abs(scale - 1) <= MAX_RESCALED for scale in scales)
