"""Camera: camera model and intrinsics of an image."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import describe
from tiepoint.types.image_values import to_image_size

CameraSource = Literal["given", "exif", "default"]
"""Source of intrinsics: the user, the photo's EXIF data, or a default prior."""

CAMERA_MODELS = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
}
"""COLMAP's camera models (src/colmap/sensor/models.h) -> names of their parameters in order."""

DISTORTION = ("k1", "k2", "p1", "p2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """Camera model and intrinsics of an image.

    Attributes:
        model: Key of `CAMERA_MODELS`; each model is a special case of OPENCV.
        image_size: Image size (width, height) in px to which the parameters belong; None if unknown.
        params: Parameters in the order of the model. Focal lengths and principal point are in px of the upright image,
            where the center of the top-left pixel is (0, 0), so cx and cy are 0.5 less than COLMAP's. Distortion
            coefficients have no unit.
        source: "given"; "exif" if the focal length is from the photo's EXIF data; "default" for a default prior.

    Raises:
        InvalidInput: If the model or source is unknown, the number of parameters is wrong, a value is not finite, a
            focal length is not positive, or the principal point is outside the image.
    """

    model: str
    image_size: tuple[int, int] | None
    params: tuple[float, ...]
    source: CameraSource = "given"

    def __post_init__(self) -> None:
        _check_model(self.model, self.params)
        if self.source not in ("given", "exif", "default"):
            raise InvalidInput(f"source: expected 'given', 'exif' or 'default', got {self.source!r}")
        if self.image_size is not None:
            object.__setattr__(self, "image_size", to_image_size(self.image_size))
            _check_principal_point(self.principal_point, self.image_size)

    @classmethod
    def from_intrinsics(
        cls,
        intrinsics: Float[np.ndarray, "3 3"],
        image_size: tuple[int, int] | None,
        *,
        distortion: tuple[float, ...] | None = None,
        source: CameraSource = "given",
    ) -> "Camera":
        """Create a camera from the matrix K = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]].

        Args:
            intrinsics: Matrix K in px; the center of the top-left pixel is (0, 0).
            image_size: Image size (width, height) in px to which the matrix belongs; None if unknown.
            distortion: Distortion coefficients (k1, k2, p1, p2) as in OpenCV, or the first of them; None for a pinhole
                camera.
            source: Source of the matrix.

        Raises:
            InvalidInput: If the matrix is singular, has another form or a skew, or a parameter is invalid.
        """
        fx, fy, cx, cy = _read_matrix(intrinsics)
        if distortion is None:
            return cls(model="PINHOLE", image_size=image_size, params=(fx, fy, cx, cy), source=source)
        if len(distortion) > len(DISTORTION):
            raise InvalidInput(
                f"distortion: expected (k1, k2, p1, p2), got {len(distortion)} values; "
                "undistort the points first if the camera model has more"
            )
        lens = tuple(float(value) for value in distortion) + (0.0,) * (len(DISTORTION) - len(distortion))
        return cls(model="OPENCV", image_size=image_size, params=(fx, fy, cx, cy, *lens), source=source)

    @property
    def focal_lengths(self) -> tuple[float, float]:
        """Focal lengths (fx, fy) in px."""
        values = self._by_name()
        return (values["f"], values["f"]) if "f" in values else (values["fx"], values["fy"])

    @property
    def principal_point(self) -> tuple[float, float]:
        """Principal point (cx, cy) in px; the center of the top-left pixel is (0, 0)."""
        values = self._by_name()
        return values["cx"], values["cy"]

    @property
    def distortion(self) -> tuple[float, float, float, float]:
        """Distortion coefficients (k1, k2, p1, p2) as in OpenCV; all zero for a pinhole camera."""
        k1, k2, p1, p2 = (self._by_name().get(name, 0.0) for name in DISTORTION)
        return k1, k2, p1, p2

    @property
    def intrinsics(self) -> Float[np.ndarray, "3 3"]:
        """Matrix K = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], float64."""
        (fx, fy), (cx, cy) = self.focal_lengths, self.principal_point
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])

    def _by_name(self) -> dict[str, float]:
        return dict(zip(CAMERA_MODELS[self.model], self.params, strict=True))


def _check_model(model: str, params: tuple[float, ...]) -> None:
    if model not in CAMERA_MODELS:
        raise InvalidInput(f"camera model: expected one of {', '.join(CAMERA_MODELS)}, got {model!r}")
    names = CAMERA_MODELS[model]
    if len(params) != len(names):
        raise InvalidInput(f"{model}: expected parameters ({', '.join(names)}), got {len(params)}: {params}")
    if not all(math.isfinite(value) for value in params):
        raise InvalidInput(f"{model}: expected finite parameters, got {params}")
    focal = [value for name, value in zip(names, params, strict=True) if name.startswith("f")]
    if min(focal) <= 0:
        raise InvalidInput(f"{model}: expected positive focal lengths in px, got {focal}")


def _check_principal_point(point: tuple[float, float], image_size: tuple[int, int]) -> None:
    inside = all(-0.5 <= value <= side - 0.5 for value, side in zip(point, image_size, strict=True))
    if not inside:
        raise InvalidInput(
            f"the principal point ({point[0]:.1f}, {point[1]:.1f}) is outside the {image_size[0]} x "
            f"{image_size[1]} image (width x height); check that the intrinsics belong to this image size"
        )


def _read_matrix(intrinsics: Float[np.ndarray, "3 3"]) -> tuple[float, float, float, float]:
    shape = getattr(intrinsics, "shape", None)
    if shape != (3, 3):
        raise InvalidInput(f"intrinsics: expected an array of shape (3, 3), got {describe(intrinsics)}")
    matrix = np.asarray(intrinsics, dtype=np.float64)
    text = np.array2string(matrix, separator=", ", precision=6).replace("\n", "")
    if not np.isfinite(matrix).all():
        raise InvalidInput(f"intrinsics: expected finite values, got {text}")
    if matrix[2, 2] != 0:
        matrix = matrix / matrix[2, 2]  # a matrix from a decomposition may have any scale
    fx, fy = float(matrix[0, 0]), float(matrix[1, 1])
    if fx == 0 or fy == 0 or matrix[2, 2] == 0:
        raise InvalidInput(f"intrinsics: expected an invertible matrix, got a singular one: {text}")
    zeros = np.array([matrix[0, 1] / fx, matrix[1, 0] / fy, matrix[2, 0], matrix[2, 1]])
    if np.abs(zeros).max() > 1e-6:
        raise InvalidInput(
            f"intrinsics: expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], got {text}; "
            "skew is not supported, set it to 0 if it is small"
        )
    return fx, fy, float(matrix[0, 2]), float(matrix[1, 2])
