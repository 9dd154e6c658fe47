"""localize: where a new photograph of a reconstructed place was taken."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
from jaxtyping import Bool, Float

from tiepoint.api import load
from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.sfm.absolute_pose import (
    FEWEST_INLIERS,
    LEAST_SHARE,
    FocalSource,
    choose_camera,
    estimate_pose,
    world_points,
)
from tiepoint.collection.sfm.matches_2d3d import Correspondences2D3D, match_to_model, observed_points
from tiepoint.collection.sfm.reconstruction import read_model
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.io.serialization import check_output_path, write_arrays
from tiepoint.matcher import Matcher
from tiepoint.types import Features
from tiepoint.visualization import check_image_path, draw_inliers, save_image

SEED = 0

PHOTOGRAPHS = 50
"""Registered photographs that are matched where nobody says how many: more than show a place to one photograph, and in a
small model all; time doesn't grow with the model then."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Localization:
    """The pose of a photograph in a model; a failure is one too, with the reason.

    Attributes:
        query: features of the photograph.
        cam_from_world: [R | t] as COLMAP would have it: X_cam = R X_world + t in the scale of the model, x to the right
            and y down in the file as it lies on the disk, without its EXIF orientation. None: not found.
        camera_model: name of COLMAP's model.
        camera_params: in COLMAP's order and convention, as refined.
        focal_source: where the focal length is from.
        points: (k, 2) px of the upright photograph: keypoints that match a 3-D point, and agree with the geometry of
            the photograph and the registered one where they do.
        world_points: (k, 3) those points.
        inliers: (k,) which of them agree with the pose; none where it failed.
        neighbor: the registered photograph that shares the most of these points; "" where nothing matches.
        neighbor_points: (k, 2) px of the upright neighbor: where it sees the same 3-D points; NaN where it doesn't.
        reason: why it failed, in words; "" where it did not.
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

    @property
    def success(self) -> bool:
        """Whether there is a pose."""
        return self.cam_from_world is not None

    @property
    def num_inliers(self) -> int:
        """How many matches agree with the pose."""
        return int(self.inliers.sum())

    @property
    def position(self) -> Float[np.ndarray, "3"] | None:
        """Where the camera is, in the frame and scale of the model."""
        if self.cam_from_world is None:
            return None
        return -self.cam_from_world[:, :3].T @ self.cam_from_world[:, 3]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the features, in plain lists and numbers."""
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
        max_lines: int | None = 500,
    ) -> PIL.Image.Image:
        """Draw the photograph beside its neighbor, with a line a shared 3-D point: green where it fits the pose.

        Args:
            query: the photograph; None: read it again from where it came.
            neighbor: the photograph `neighbor` of the collection.
            max_lines: so many points are drawn; None: all.

        Raises:
            InvalidInput: an image was given as pixels when localizing, and isn't given here; or can't be read.
        """
        shared = np.isfinite(self.neighbor_points).all(axis=1)
        return draw_inliers(
            read_image(self.query.source if query is None else query),  # type: ignore[arg-type]
            read_image(neighbor),
            self.points[shared],
            self.neighbor_points[shared],
            self.inliers[shared],
            max_lines=max_lines,
            caption=f"{self.num_inliers} of {len(self.points)} points fit the pose; shared with {self.neighbor}",
        )


def localize(
    query: ImageSource | Image,
    collection: Collection | str | os.PathLike[str],
    *,
    photographs: int | None = PHOTOGRAPHS,
    focal_px: float | None = None,
    max_error_px: float = 12.0,
    matcher: Matcher | None = None,
    seed: int = SEED,
) -> Localization:
    """Find where a photograph was taken, in a collection that has been reconstructed.

    Args:
        query: the photograph, as for `Matcher.extract`.
        collection: its output folder, or from `open_collection`.
        photographs: how many registered photographs to match with, those that look most alike; None: all.
        focal_px: of the photograph, in px; None: that of a photograph of the model with the same size and EXIF focal
            length, else EXIF data or a guess, both refined with the pose.
        max_error_px: largest distance in px between a keypoint and where its 3-D point is seen.
        matcher: to use again for several photographs, with the collection's settings; None: loaded.
        seed: of RANSAC's samples.

    Returns:
        The pose; without one, and with a reason, where too few points match or agree.

    Raises:
        InvalidInput: the photograph can't be read, or the collection isn't reconstructed.
        MissingDependency: pycolmap isn't installed; or faiss, and the model has more than `photographs`.

    Example:
        >>> found = tiepoint.localize("new.jpg", "out/")
        >>> found.position, found.num_inliers, found.reason
    """
    opened = open_collection(collection) if isinstance(collection, str | os.PathLike) else collection
    model = read_model(opened)
    matcher = _load_matcher(opened) if matcher is None else matcher
    features = matcher.extract(query)
    sightings = match_to_model(features, opened, model, matcher, photographs)
    camera, source = choose_camera(features, opened, model, sightings, focal_px)
    answer = estimate_pose(features, model, sightings, camera, source, max_error_px, seed)
    return _localization(features, opened, model, sightings, camera, source, answer)


def _load_matcher(collection: Collection) -> Matcher:
    """The matcher of the last run."""
    return load(collection.settings["preset"], **collection.settings["load"])


def _localization(
    features: Features,
    collection: Collection,
    model: Any,
    sightings: Correspondences2D3D,
    camera: Any,
    source: FocalSource,
    answer: dict[str, Any] | None,
) -> Localization:
    inliers = np.zeros(len(sightings), bool) if answer is None else np.asarray(answer["inlier_mask"], bool)
    enough = int(inliers.sum()) >= max(FEWEST_INLIERS, LEAST_SHARE * len(sightings))
    neighbor = next(iter(sightings.matched), "")
    seen = np.empty((0, 2))
    if neighbor:
        image = model.find_image_with_name(neighbor)
        seen = observed_points(image, collection.features(neighbor), sightings.points)
    return Localization(
        query=features,
        cam_from_world=answer["cam_from_world"].matrix() if answer is not None and enough else None,
        camera_model=camera.model_name,
        camera_params=tuple(camera.params.tolist()),
        focal_source=source,
        points=features.keypoints.float().cpu().numpy()[sightings.keypoints],
        world_points=world_points(model, sightings),
        inliers=inliers & enough,
        neighbor=neighbor,
        neighbor_points=seen,
        reason="" if enough else _reason(len(sightings), int(inliers.sum())),
    )


def _reason(sightings: int, agreeing: int) -> str:
    if sightings < FEWEST_INLIERS:
        return f"only {sightings} keypoints match a 3-D point, of the {FEWEST_INLIERS} that a pose needs here"
    return f"of {sightings} matched points only {agreeing} agree with one pose, of the {FEWEST_INLIERS} and {LEAST_SHARE:.0%} needed"


def localize_to_files(
    query: ImageSource,
    collection: Collection | str | os.PathLike[str],
    *,
    picture: str | os.PathLike[str] | None = None,
    json: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Localization:
    """`localize`, and write what came out; paths that can't be written are found out before the work.

    Args:
        query: as for `localize`.
        collection: likewise.
        picture: where to write the picture of `Localization.draw`; there is none where nothing matches.
        json: where to write `Localization.to_dict` as JSON; ends in .json.
        **options: as for `localize`.

    Raises:
        InvalidInput: as for `localize`; or a file can't be written.
        MissingDependency: as for `localize`.
    """
    if picture is not None:
        check_image_path(picture)
    if json is not None:
        check_output_path(json, ".json")
    opened = open_collection(collection) if isinstance(collection, str | os.PathLike) else collection
    found = localize(query, opened, **options)
    if json is not None:
        write_arrays(found.to_dict(), json)
    if picture is not None and found.neighbor:
        path = next(each.path for each in opened.photographs if each.name == found.neighbor)
        save_image(found.draw(query, neighbor=path), picture)
    return found
