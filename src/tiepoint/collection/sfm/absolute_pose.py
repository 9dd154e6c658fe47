"""Absolute pose of a query image from 2D-3D correspondences, and its camera: COLMAP's estimator and refinement."""

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

FocalSource = Literal["given", "model", "exif", "default"]
"""Source of the focal length: the user, a camera of the model, EXIF data, or a default prior. The last two are refined
together with the pose."""

MIN_INLIERS, MIN_INLIER_RATIO = 30, 0.25
"""Minimum number and ratio of inliers of a valid pose, as for the images that COLMAP's mapper registers; their matches are
verified pair by pair as well. With an unknown focal length, images of other scenes reach about a dozen random inliers."""


def choose_camera(
    query: Features,
    collection: Collection,
    model: Any,
    correspondences: Correspondences2D3D,
    focal_px: float | None,
) -> tuple[Any, FocalSource]:
    """Choose the camera of the query image.

    Args:
        query: Features of the query image.
        collection: Reconstructed collection.
        model: `pycolmap.Reconstruction` of the collection.
        correspondences: 2D-3D correspondences of the query image.
        focal_px: Focal length in px; None to take it from the model, from EXIF data or from a default prior.

    Returns:
        A `pycolmap.Camera`, and the source of its focal length.
    """
    size = raster_size(query.image_size, query.exif_orientation)
    if focal_px is not None:
        return colmap_camera(size, focal_px), "given"
    exif_px = None if query.source is None else read_focal_length_px(query.source, query.image_size)
    camera = _camera_of_model(size, exif_px, collection, model, correspondences)
    if camera is not None:
        return camera, "model"
    return colmap_camera(size, exif_px), "default" if exif_px is None else "exif"


def _camera_of_model(
    size: tuple[int, int],
    focal_px: float | None,
    collection: Collection,
    model: Any,
    correspondences: Correspondences2D3D,
) -> Any | None:
    """Return the refined camera of the best-matching registered image with the same size and EXIF focal length, if any."""
    by_name = {image.name: image for image in collection.images}
    for name in correspondences.num_matches:
        key = camera_key(by_name[name], collection.features(name))
        if (key.raster_size, key.focal_px) == (size, focal_px):
            return copy(model.camera(model.find_image_with_name(name).camera_id))
    return None


def estimate_pose(
    query: Features,
    model: Any,
    correspondences: Correspondences2D3D,
    camera: Any,
    source: FocalSource,
    max_error_px: float,
    seed: int,
) -> dict[str, Any] | None:
    """Estimate and refine the absolute pose of the query image.

    Args:
        query: Features of the query image.
        model: `pycolmap.Reconstruction` of the collection.
        correspondences: 2D-3D correspondences of the query image.
        camera: `pycolmap.Camera`; it is refined in place.
        source: Source of its focal length.
        max_error_px: Inlier threshold (reprojection error) in px.
        seed: Random seed of RANSAC.

    Returns:
        The result of pycolmap; None if there are too few correspondences or no pose was found.
    """
    pycolmap = require_pycolmap()
    if len(correspondences) < MIN_INLIERS:
        return None
    estimation = pycolmap.AbsolutePoseEstimationOptions()
    estimation.ransac.max_error = max_error_px
    estimation.ransac.random_seed = seed
    estimation.estimate_focal_length = source == "default"
    refinement = pycolmap.AbsolutePoseRefinementOptions()
    refinement.refine_focal_length = source in ("exif", "default")
    points = colmap_keypoints(query)[correspondences.keypoints].astype(np.float64)
    with quiet_pycolmap():
        return pycolmap.estimate_and_refine_absolute_pose(
            points, world_points(model, correspondences), camera, estimation, refinement
        )


def world_points(model: Any, correspondences: Correspondences2D3D) -> Float[np.ndarray, "k 3"]:
    """Return the 3D points of the correspondences in the frame of the model.

    Args:
        model: `pycolmap.Reconstruction` of the collection.
        correspondences: 2D-3D correspondences.
    """
    xyz = [model.point3D(point3D_id).xyz for point3D_id in correspondences.point3D_ids.tolist()]
    return np.array(xyz, np.float64).reshape(-1, 3)
