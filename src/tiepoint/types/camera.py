"""Camera: how the rays of one image become pixels."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.types.features import check_size, describe

CameraSource = Literal["given", "exif", "guess"]
"""Where intrinsics are from: the user, the photograph's EXIF data, or nowhere."""

CAMERA_MODELS = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
}
"""COLMAP's models (src/colmap/sensor/models.h), and the names of their parameters in order."""

DISTORTION = ("k1", "k2", "p1", "p2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """How the rays of one image become pixels.

    Attributes:
        model: a name of `CAMERA_MODELS`; every one of them is OPENCV with some parameters equal or zero.
        image_size: (width, height) in px of the image that the parameters belong to; None: not known.
        params: in the model's order; focal lengths and principal point in px of the upright image, in the
            convention of keypoints: the center of the top-left pixel is (0, 0), so cx and cy are 0.5 less than
            COLMAP's. Distortion has no unit.
        source: "given", or "exif" where the focal length is from the photograph's EXIF data, or "guess".

    Raises:
        InvalidInput: an unknown model or source, too few or too many parameters, values that are not finite, a
            focal length that is not positive, or a principal point outside the image.
    """

    model: str
    image_size: tuple[int, int] | None
    params: tuple[float, ...]
    source: CameraSource = "given"

    def __post_init__(self) -> None:
        _check_model(self.model, self.params)
        if self.source not in ("given", "exif", "guess"):
            raise InvalidInput(f"source must be 'given', 'exif' or 'guess', but is {self.source!r}")
        if self.image_size is not None:
            check_size(self.image_size)
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
        """Make a camera of the matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]].

        Args:
            intrinsics: in px; the center of the top-left pixel is (0, 0).
            image_size: (width, height) in px of the image that the matrix belongs to; None: not known.
            distortion: (k1, k2, p1, p2) as OpenCV has them, or the first of them; None: a pinhole camera.
            source: where the matrix is from.

        Raises:
            InvalidInput: the matrix is singular, has another form or a skew, or the camera can't be.
        """
        fx, fy, cx, cy = _read_matrix(intrinsics)
        if distortion is None:
            return cls(model="PINHOLE", image_size=image_size, params=(fx, fy, cx, cy), source=source)
        if len(distortion) > len(DISTORTION):
            raise InvalidInput(
                f"distortion must be (k1, k2, p1, p2), but has {len(distortion)} values; "
                "undistort the points first if the lens needs more"
            )
        lens = tuple(float(value) for value in distortion) + (0.0,) * (len(DISTORTION) - len(distortion))
        return cls(model="OPENCV", image_size=image_size, params=(fx, fy, cx, cy, *lens), source=source)

    @property
    def focal_lengths(self) -> tuple[float, float]:
        """(fx, fy) in px."""
        named = self._named()
        return (named["f"], named["f"]) if "f" in named else (named["fx"], named["fy"])

    @property
    def principal_point(self) -> tuple[float, float]:
        """(cx, cy) in px; the center of the top-left pixel is (0, 0)."""
        named = self._named()
        return named["cx"], named["cy"]

    @property
    def distortion(self) -> tuple[float, float, float, float]:
        """(k1, k2, p1, p2) as OpenCV has them; all zero for a pinhole camera."""
        k1, k2, p1, p2 = (self._named().get(name, 0.0) for name in DISTORTION)
        return k1, k2, p1, p2

    @property
    def intrinsics(self) -> Float[np.ndarray, "3 3"]:
        """The matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], float64."""
        (fx, fy), (cx, cy) = self.focal_lengths, self.principal_point
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])

    def _named(self) -> dict[str, float]:
        return dict(zip(CAMERA_MODELS[self.model], self.params, strict=True))


def _check_model(model: str, params: tuple[float, ...]) -> None:
    if model not in CAMERA_MODELS:
        raise InvalidInput(f"camera model must be one of {', '.join(CAMERA_MODELS)}, but is {model!r}")
    names = CAMERA_MODELS[model]
    if len(params) != len(names):
        raise InvalidInput(f"{model} has parameters ({', '.join(names)}), but {len(params)} came: {params}")
    if not all(math.isfinite(value) for value in params):
        raise InvalidInput(f"{model}'s parameters must be finite, but are {params}")
    focal = [value for name, value in zip(names, params, strict=True) if name.startswith("f")]
    if min(focal) <= 0:
        raise InvalidInput(f"focal lengths must be above 0 px, but are {focal}; are the intrinsics in px?")


def _check_principal_point(point: tuple[float, float], image_size: tuple[int, int]) -> None:
    inside = all(-0.5 <= value <= side - 0.5 for value, side in zip(point, image_size, strict=True))
    if not inside:
        raise InvalidInput(
            f"the principal point ({point[0]:.1f}, {point[1]:.1f}) lies outside the {image_size[0]} x "
            f"{image_size[1]} image (width x height); are the intrinsics those of another image size?"
        )


def _read_matrix(intrinsics: Float[np.ndarray, "3 3"]) -> tuple[float, float, float, float]:
    shape = getattr(intrinsics, "shape", None)
    if shape != (3, 3):
        raise InvalidInput(f"intrinsics must be an array of shape (3, 3), but came as {describe(intrinsics)}")
    K = np.asarray(intrinsics, dtype=np.float64)
    text = np.array2string(K, separator=", ", precision=6).replace("\n", "")
    if not np.isfinite(K).all():
        raise InvalidInput(f"intrinsics must be finite, but are {text}")
    if K[2, 2] != 0:
        K = K / K[2, 2]  # a matrix that came out of a decomposition may have any scale
    fx, fy = float(K[0, 0]), float(K[1, 1])
    if fx == 0 or fy == 0 or K[2, 2] == 0:
        raise InvalidInput(f"intrinsics must be an invertible matrix, but are singular: {text}")
    zeros = np.array([K[0, 1] / fx, K[1, 0] / fy, K[2, 0], K[2, 1]])
    if np.abs(zeros).max() > 1e-6:
        raise InvalidInput(
            f"intrinsics must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], but are {text}; "
            "a skew can't be used, set it to 0 where it is small"
        )
    return fx, fy, float(K[0, 2]), float(K[1, 2])
