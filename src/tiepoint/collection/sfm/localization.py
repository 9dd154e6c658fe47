"""localize: pose of a new image in the model of a reconstructed collection."""

import os
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import numpy as np
import PIL.Image
from jaxtyping import Bool, Float

from tiepoint.api import load
from tiepoint.collection.collection import Collection, as_collection
from tiepoint.collection.sfm.absolute_pose import (
    MIN_INLIER_RATIO,
    MIN_INLIERS,
    FocalSource,
    choose_camera,
    estimate_pose,
    world_points,
)
from tiepoint.collection.sfm.matches_2d3d import Correspondences2D3D, match_to_model, observed_points
from tiepoint.collection.sfm.reconstruction import read_model
from tiepoint.geometry.thresholds import ABSOLUTE_POSE_MAX_ERROR_PX
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.io.atomic import check_overwrites
from tiepoint.io.progress import Progress
from tiepoint.io.serialization import check_output_path, write_arrays
from tiepoint.matcher import Matcher
from tiepoint.types import Features
from tiepoint.visualization import MAX_LINES, check_image_path, draw_inliers, save_image

SEED = 0

NUM_IMAGES = 50
"""Default number of registered images to match with: more than show one place, so the time does not grow with the model."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Localization:
    """Pose of a query image in a model; if the estimation failed, the reason.

    Attributes:
        query: Features of the query image.
        cam_from_world: Pose [R | t] in COLMAP's convention: X_cam = R X_world + t in the scale of the model, x to the
            right and y down in the stored raster, without EXIF orientation. None if the estimation failed.
        camera_model: Name of the COLMAP camera model.
        camera_params: Refined camera parameters in COLMAP's order and convention.
        focal_source: Source of the focal length.
        points: Keypoints (x, y) with a 3D point, in px of the upright query image, shape (k, 2). They are inliers of the
            two-view geometry with a registered image.
        world_points: Corresponding 3D points, shape (k, 3).
        inliers: Inlier mask of the pose, shape (k,); all False if the estimation failed.
        neighbor: Registered image with the most correspondences; "" if there are none.
        neighbor_points: Observations (x, y) of the same 3D points in px of the upright neighbor, shape (k, 2); NaN where
            it does not observe the point.
        reason: Reason of the failure; "" on success.
    """

    query: Features
    cam_from_world: Float[np.ndarray, "3 4"] | None
    camera_model: str
    camera_params: tuple[float, ...]
    focal_source: FocalSource
    points: Float[np.ndarray, "k 2"]
    world_points: Float[np.ndarray, "k 3"]
    inliers: Bool[np.ndarray, "k"]
    neighbor: str
    neighbor_points: Float[np.ndarray, "k 2"]
    reason: str = ""

    def __repr__(self) -> str:
        if self.position is None:
            return f"Localization(failed: {self.reason})"
        x, y, z = self.position
        return f"Localization(position=({x:.3f}, {y:.3f}, {z:.3f}), {self.num_inliers} of {len(self.points)} inliers)"

    @property
    def success(self) -> bool:
        """Whether there is a pose."""
        return self.cam_from_world is not None

    @property
    def num_inliers(self) -> int:
        """Number of inliers of the pose."""
        return int(self.inliers.sum())

    @property
    def position(self) -> Float[np.ndarray, "3"] | None:
        """Camera center in the frame and scale of the model."""
        if self.cam_from_world is None:
            return None
        return -self.cam_from_world[:, :3].T @ self.cam_from_world[:, 3]

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the features as plain lists and numbers."""
        position = self.position
        return {
            "query": self.query.source,
            "success": self.success,
            "reason": self.reason,
            "cam_from_world": None if self.cam_from_world is None else self.cam_from_world.tolist(),
            "position": None if position is None else position.tolist(),
            "camera_model": self.camera_model,
            "camera_params": list(self.camera_params),
            "focal_source": self.focal_source,
            "num_inliers": self.num_inliers,
            "points": self.points.tolist(),
            "world_points": self.world_points.tolist(),
            "inliers": self.inliers.tolist(),
            "neighbor": self.neighbor,
        }

    def draw(
        self,
        query: ImageSource | Image | None = None,
        *,
        neighbor: ImageSource | Image,
        max_lines: int | None = MAX_LINES,
    ) -> PIL.Image.Image:
        """Draw the query image next to its neighbor, with lines for shared 3D points: green for inliers of the pose.

        Args:
            query: Query image; None reads it again from its source.
            neighbor: The image `neighbor` of the collection.
            max_lines: Maximum number of lines, spread over the query image; None draws all.

        Raises:
            InvalidInput: If the query image was localized from pixels and is not given, or an image cannot be read.
        """
        shared = np.isfinite(self.neighbor_points).all(axis=1)
        return draw_inliers(
            read_image(self.query.source if query is None else query, stretch="auto"),  # type: ignore[arg-type]
            read_image(neighbor, stretch="auto"),
            self.points[shared],
            self.neighbor_points[shared],
            self.inliers[shared],
            max_lines=max_lines,
            caption=f"{self.num_inliers} of {len(self.points)} points are inliers; shared with {self.neighbor}",
        )


class LocalizeOptions(TypedDict, total=False):
    """Keyword options of `localize`, which documents them."""

    num_images: int | None
    focal_px: float | None
    max_error_px: float
    matcher: Matcher | None
    seed: int
    progress: Progress


def localize(
    query: ImageSource | Image,
    collection: Collection | str | os.PathLike[str],
    *,
    num_images: int | None = NUM_IMAGES,
    focal_px: float | None = None,
    max_error_px: float = ABSOLUTE_POSE_MAX_ERROR_PX,
    matcher: Matcher | None = None,
    seed: int = SEED,
    progress: Progress = False,
) -> Localization:
    """Estimate the pose of an image in the model of a reconstructed collection.

    Args:
        query: Query image, as for `Matcher.extract`.
        collection: Collection from `open_collection`, or its output folder.
        num_images: Number of most similar registered images to match with; None for all.
        focal_px: Focal length of the query image in px. None: that of a registered image with the same size and EXIF
            focal length, else that of the EXIF data or a default prior, which are refined with the pose.
        max_error_px: Inlier threshold (reprojection error) in px.
        matcher: Matcher with the settings of the collection, to localize several images; None loads it.
        seed: Random seed of RANSAC.
        progress: Whether to show a bar on stderr, or a callback that shows the progress.

    Returns:
        The pose; without one, and with a reason, if there are too few correspondences or inliers.

    Raises:
        InvalidInput: If the image cannot be read, or the collection is not reconstructed.
        MissingDependency: If pycolmap is not installed; or faiss, and the model has more than `num_images` images.

    Example:
        >>> localization = tiepoint.localize("new.jpg", "out/")
        >>> localization.position, localization.num_inliers, localization.reason
    """
    opened = as_collection(collection)
    model = read_model(opened)
    matcher = _load_matcher(opened) if matcher is None else matcher
    features = matcher.extract(query)
    correspondences = match_to_model(features, opened, model, matcher, num_images, progress)
    camera, source = choose_camera(features, opened, model, correspondences, focal_px)
    pose = estimate_pose(features, model, correspondences, camera, source, max_error_px, seed)
    return _localization(features, opened, model, correspondences, camera, source, pose)


def _load_matcher(collection: Collection) -> Matcher:
    """Load the matcher of the last run."""
    return load(collection.settings["preset"], **collection.settings["load"])


def _localization(
    query: Features,
    collection: Collection,
    model: Any,
    correspondences: Correspondences2D3D,
    camera: Any,
    source: FocalSource,
    pose: dict[str, Any] | None,
) -> Localization:
    count = len(correspondences)
    inliers = np.zeros(count, bool) if pose is None else np.asarray(pose["inlier_mask"], bool)
    success = pose is not None and int(inliers.sum()) >= max(MIN_INLIERS, MIN_INLIER_RATIO * count)
    neighbor = next(iter(correspondences.num_matches), "")
    neighbor_points = np.empty((0, 2))
    if neighbor:
        image = model.find_image_with_name(neighbor)
        neighbor_points = observed_points(image, collection.features(neighbor), correspondences.point3D_ids)
    return Localization(
        query=query,
        cam_from_world=pose["cam_from_world"].matrix() if pose is not None and success else None,
        camera_model=camera.model_name,
        camera_params=tuple(camera.params.tolist()),
        focal_source=source,
        points=query.keypoints.float().cpu().numpy()[correspondences.keypoints],
        world_points=world_points(model, correspondences),
        inliers=inliers & success,
        neighbor=neighbor,
        neighbor_points=neighbor_points,
        reason="" if success else _failure_reason(count, int(inliers.sum())),
    )


def _failure_reason(count: int, num_inliers: int) -> str:
    if count < MIN_INLIERS:
        return f"got {count} 2D-3D correspondences; at least {MIN_INLIERS} are needed"
    return (
        f"no consensus: {num_inliers} of {count} 2D-3D correspondences are inliers; at least {MIN_INLIERS} and "
        f"{MIN_INLIER_RATIO:.0%} are needed"
    )


def localize_to_files(
    query: ImageSource,
    collection: Collection | str | os.PathLike[str],
    *,
    image_path: str | os.PathLike[str] | None = None,
    json_path: str | os.PathLike[str] | None = None,
    **options: Unpack[LocalizeOptions],
) -> Localization:
    """Localize an image and write the result; output paths are validated before starting.

    Args:
        query: Query image, as for `localize`.
        collection: Collection from `open_collection`, or its output folder.
        image_path: Output path of the image from `Localization.draw`; not written if there are no correspondences.
        json_path: Output path of `Localization.to_dict` as JSON; ends in .json.
        **options: Options of `localize`.

    Raises:
        InvalidInput: For the reasons of `localize`, or if a file cannot be written.
        MissingDependency: For the reasons of `localize`.
    """
    check_overwrites((image_path, json_path), (query,))
    if image_path is not None:
        check_image_path(image_path)
    if json_path is not None:
        check_output_path(json_path, ".json")
    opened = as_collection(collection)
    localization = localize(query, opened, **options)
    if json_path is not None:
        write_arrays(localization.to_dict(), json_path)
    if image_path is not None and localization.neighbor:
        path = next(image.path for image in opened.images if image.name == localization.neighbor)
        save_image(localization.draw(query, neighbor=path), image_path)
    return localization
