"""The camera of a new photograph, and its pose from keypoints that match 3-D points: COLMAP's absolute pose."""

from copy import copy
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from tiepoint.collection.collection import Collection
from tiepoint.collection.images import camera_key
from tiepoint.collection.sfm.matches_2d3d import Correspondences2D3D
from tiepoint.geometry.colmap import (
    colmap_camera,
    colmap_keypoints,
    quiet_pycolmap,
    raster_size,
    require_pycolmap,
)
from tiepoint.image.exif import read_focal_length_px
from tiepoint.types import Features

FocalSource = Literal["given", "model", "exif", "guess"]
"""Where the focal length is from: the user, a camera of the model, EXIF data, or nowhere; the last two are refined
together with the pose."""

FEWEST_INLIERS, LEAST_SHARE = 30, 0.25
"""What a pose must explain, in matched points and as a share of them, to be believed: what COLMAP's mapper asks of an
image that it registers, whose matches are verified pair by pair, as these are. Photographs of another place reach a dozen
when the focal length is free as well."""


def choose_camera(
    features: Features,
    collection: Collection,
    model: Any,
    sightings: Correspondences2D3D,
    focal_px: float | None,
) -> tuple[Any, FocalSource]:
    """COLMAP's camera of the photograph, and where its focal length is from."""
    size = raster_size(features.image_size, features.exif_orientation)
    if focal_px is not None:
        return colmap_camera(size, focal_px), "given"
    exif = None if features.source is None else read_focal_length_px(features.source, features.image_size)
    known = _camera_of_model(size, exif, collection, model, sightings)
    if known is not None:
        return known, "model"
    return colmap_camera(size, exif), "guess" if exif is None else "exif"


def _camera_of_model(
    size: tuple[int, int],
    focal_px: float | None,
    collection: Collection,
    model: Any,
    sightings: Correspondences2D3D,
) -> Any | None:
    """The refined camera of the most alike photograph that has the same size and EXIF focal length, if there is one."""
    by_name = {photograph.name: photograph for photograph in collection.photographs}
    for name in sightings.matched:
        of = camera_key(by_name[name], collection.features(name))
        if (of.raster_size, of.focal_px) == (size, focal_px):
            return copy(model.camera(model.find_image_with_name(name).camera_id))
    return None


def estimate_pose(
    features: Features,
    model: Any,
    sightings: Correspondences2D3D,
    camera: Any,
    source: FocalSource,
    max_error_px: float,
    seed: int,
) -> dict[str, Any] | None:
    """COLMAP's answer; `camera` is refined in place."""
    pycolmap = require_pycolmap()
    estimation, refinement = (
        pycolmap.AbsolutePoseEstimationOptions(),
        pycolmap.AbsolutePoseRefinementOptions(),
    )
    estimation.ransac.max_error = max_error_px
    estimation.ransac.random_seed = seed
    estimation.estimate_focal_length = source == "guess"
    refinement.refine_focal_length = source in ("exif", "guess")
    points = colmap_keypoints(features)[sightings.keypoints].astype(np.float64)
    if len(sightings) < FEWEST_INLIERS:
        return None
    with quiet_pycolmap():
        return pycolmap.estimate_and_refine_absolute_pose(
            points, world_points(model, sightings), camera, estimation, refinement
        )


def world_points(model: Any, sightings: Correspondences2D3D) -> Float[np.ndarray, "k 3"]:
    """Where the 3-D points are, in the frame of the model."""
    xyz = [model.point3D(number).xyz for number in sightings.points.tolist()]
    return np.array(xyz, np.float64).reshape(-1, 3)
