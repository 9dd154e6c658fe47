"""SparseModel: the reconstruction of a collection as plain arrays, from which other programs' files are written.

Coordinates are COLMAP's: pixels of the stored raster with (0, 0) at the corner of the top-left pixel, cameras that look
along +z with y down, a world of arbitrary scale and orientation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Integer, UInt8

from tiepoint.collection.collection import Collection
from tiepoint.collection.sfm.reconstruction import read_model
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import cam_from_world

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
}
"""COLMAP camera model -> names of its parameters; the models without fisheye lenses and rational distortion."""


MAX_FOCAL_DIFFERENCE = 1e-3  # between x and y, relative


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCamera:
    """Intrinsics, with OpenCV's radial and tangential distortion.

    Attributes:
        image_size: Size (width, height) of the stored raster in px.
        fx: Focal length along x in px.
        fy: Focal length along y in px.
        cx: Principal point in px; the corner of the top-left pixel is 0.
        cy: Principal point in px.
        distortion: Coefficients (k1, k2, p1, p2) of normalized coordinates.
    """

    image_size: tuple[int, int]
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelImage:
    """A registered image.

    Attributes:
        name: Name in the collection.
        path: Path of the file.
        camera: Index of its camera.
        cam_from_world: Pose [R | t] with X_cam = R X_world + t.
        points2d: Observed keypoints (x, y) in px of the stored raster.
    """

    name: str
    path: Path
    camera: int
    cam_from_world: Float[np.ndarray, "3 4"]
    points2d: Float[np.ndarray, "m 2"]

    @property
    def world_from_cam(self) -> Float[np.ndarray, "3 4"]:
        """Pose [R | center]."""
        R, t = self.cam_from_world[:, :3], self.cam_from_world[:, 3]
        return np.column_stack([R.T, -R.T @ t])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SparseModel:
    """Cameras, registered images in the order of their names, and points with their tracks.

    Attributes:
        cameras: Cameras.
        images: Registered images.
        points: Positions of the 3-D points.
        colors: Colors (red, green, blue) of the points.
        tracks: Observations of each point: index of the image, index of its keypoint.
    """

    cameras: tuple[ModelCamera, ...]
    images: tuple[ModelImage, ...]
    points: Float[np.ndarray, "n 3"]
    colors: UInt8[np.ndarray, "n 3"]
    tracks: tuple[Integer[np.ndarray, "_ 2"], ...]


def check_one_focal_length(camera: ModelCamera, program: str) -> None:
    """Check that a camera has one focal length, for formats that hold no other.

    Args:
        camera: Camera of the model.
        program: Program that the format belongs to, in the possessive case, for the message.

    Raises:
        InvalidInput: If the focal lengths along x and y differ.
    """
    if abs(camera.fx - camera.fy) > MAX_FOCAL_DIFFERENCE * camera.fx:
        raise InvalidInput(
            f"{program} files have one focal length per camera, got {camera.fx:.1f} and {camera.fy:.1f} px; "
            "undistort the images with COLMAP first"
        )


def read_sparse_model(collection: Collection) -> SparseModel:
    """Read the largest model of a reconstructed collection.

    Args:
        collection: Collection from `open_collection`.

    Raises:
        InvalidInput: If there is no model, it is of other images, or it has a camera model without a counterpart.
        MissingDependency: If pycolmap is not installed.
    """
    model = read_model(collection)
    paths = {image.name: image.path for image in collection.images}
    return to_sparse_model(model, paths)


def to_sparse_model(model: Any, paths: Mapping[str, Path]) -> SparseModel:
    """Convert a `pycolmap.Reconstruction`.

    Args:
        model: Reconstruction.
        paths: Name of an image -> path of its file.

    Raises:
        InvalidInput: If the model is of other images, or has a camera model without a counterpart.
    """
    registered = sorted(
        (model.image(number) for number in model.reg_image_ids()), key=lambda image: image.name
    )
    unknown = [image.name for image in registered if image.name not in paths]
    if unknown:
        raise InvalidInput(
            f"the reconstruction has images that are not in the collection, such as {unknown[0]!r}; reconstruct it again"
        )
    camera_ids = sorted({image.camera_id for image in registered})
    image_index = {image.image_id: index for index, image in enumerate(registered)}
    points = [model.point3D(number) for number in sorted(model.point3D_ids())]
    return SparseModel(
        cameras=tuple(_camera(model.camera(number)) for number in camera_ids),
        images=tuple(
            ModelImage(
                name=image.name,
                path=paths[image.name],
                camera=camera_ids.index(image.camera_id),
                cam_from_world=cam_from_world(image),
                points2d=np.array([point.xy for point in image.points2D]).reshape(-1, 2),
            )
            for image in registered
        ),
        points=np.array([point.xyz for point in points]).reshape(-1, 3),
        colors=np.array([point.color for point in points], dtype=np.uint8).reshape(-1, 3),
        tracks=tuple(_track(point.track, image_index) for point in points),
    )


def _track(track: Any, image_index: Mapping[int, int]) -> np.ndarray:
    pairs = [(image_index[each.image_id], each.point2D_idx) for each in track.elements]
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def _camera(camera: Any) -> ModelCamera:
    if camera.model_name not in PARAMETERS:
        raise InvalidInput(
            f"camera model {camera.model_name} cannot be exported; expected one of {', '.join(PARAMETERS)}: undistort the "
            "images with COLMAP first"
        )
    values = dict(zip(PARAMETERS[camera.model_name], map(float, camera.params), strict=True))
    return ModelCamera(
        image_size=(int(camera.width), int(camera.height)),
        fx=values.get("fx", values.get("f", 0.0)),
        fy=values.get("fy", values.get("f", 0.0)),
        cx=values["cx"],
        cy=values["cy"],
        distortion=(
            values.get("k1", 0.0),
            values.get("k2", 0.0),
            values.get("p1", 0.0),
            values.get("p2", 0.0),
        ),
    )
