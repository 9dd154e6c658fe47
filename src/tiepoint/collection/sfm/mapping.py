"""MappingOptions: which mapper runs, and what it knows: GPS positions, intrinsics, poses."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from tiepoint.collection.collection import Collection
from tiepoint.collection.images import ImageRecord, camera_key
from tiepoint.collection.sfm.keypoint_refinement import Refinement, refine_keypoints
from tiepoint.collection.sfm.known_poses import KnownPoseSettings, map_known_poses
from tiepoint.collection.sfm.mapper import MapperRun, run_global_mapper, run_mapper
from tiepoint.collection.sfm.mapper_options import Mapper, check_mapper_options
from tiepoint.collection.sfm.poses_file import KnownPoses, make_camera, match_names, read_poses
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import HALF_PIXEL, raster_size
from tiepoint.geometry.intrinsics import camera_from_matrix
from tiepoint.types import Camera

MIN_PRIORS = 3
"""Number of positions that determine the similarity transformation to the Earth."""

KEEP_INTRINSICS: Mapping[Mapper, Mapping[str, Any]] = {
    "incremental": {
        "ba_refine_focal_length": False,
        "ba_refine_extra_params": False,
        "abs_pose_refine_focal_length": False,
        "abs_pose_refine_extra_params": False,
    },
    "global": {
        "mapper.bundle_adjustment.refine_focal_length": False,
        "mapper.bundle_adjustment.refine_extra_params": False,
    },
}
"""Options of a mapper that keep known intrinsics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingOptions:
    """Options of `reconstruct`, which documents them; validated before any work starts.

    Raises:
        InvalidInput: If an option is invalid, does not fit another one, or the poses cannot be read.
        MissingDependency: If pycolmap is not installed.
    """

    mapper: Mapper = "incremental"
    use_priors: bool = False
    intrinsics: Camera | None = None
    poses: str | os.PathLike[str] | None = None
    refine_poses: bool = False
    refine_keypoints: bool = False
    mapper_options: Mapping[str, Any] = field(default_factory=dict)
    threads: int | None = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.mapper not in get_args(Mapper):
            raise InvalidInput(f"mapper must be 'incremental' or 'global', got {self.mapper!r}")
        if self.mapper == "global" and (self.use_priors or self.poses is not None):
            given = "use_priors" if self.use_priors else "poses"
            raise InvalidInput(f"{given} is an option of the incremental mapper, got mapper='global'")
        if self.use_priors and self.poses is not None:
            raise InvalidInput("use_priors and poses exclude each other, because both determine the world")
        if self.refine_poses and self.poses is None:
            raise InvalidInput("refine_poses requires poses")
        check_mapper_options(self.mapper_options, self.mapper)
        if self.poses is not None:
            read_poses(self.poses)

    def read_poses(self, names: list[str]) -> KnownPoses | None:
        """Return the known poses by the names of a collection; None if there are none.

        Args:
            names: Names of the images.

        Raises:
            InvalidInput: If the poses cannot be read, or are of other images.
        """
        return None if self.poses is None else match_names(read_poses(self.poses), names, self.poses)


def known_cameras(
    collection: Collection, options: MappingOptions, poses: KnownPoses | None
) -> dict[str, Any]:
    """Return the known `pycolmap.Camera` of each image by name.

    Args:
        collection: Collection from `open_collection`.
        options: Options of the reconstruction.
        poses: Known poses with their cameras; the given intrinsics have priority.

    Raises:
        InvalidInput: If an image has another size than its camera, or the principal point is implausible.
    """
    if options.intrinsics is not None:
        return {image.name: _given_camera(image, options.intrinsics) for image in collection.images}
    cameras = {} if poses is None else poses.cameras
    for image in collection.images:
        if image.name in cameras:
            _check_size(image, cameras[image.name])
    return share_cameras(collection, cameras)


def share_cameras(collection: Collection, cameras: Mapping[str, Any]) -> dict[str, Any]:
    """Return known cameras, and for images of the same folder, size and EXIF focal length the same ones.

    Args:
        collection: Collection from `open_collection`.
        cameras: Name of an image -> `pycolmap.Camera`.
    """
    if not cameras:
        return {}
    keys = {image.name: camera_key(image, collection.features(image.name)) for image in collection.images}
    by_key = {keys[name]: camera for name, camera in reversed(list(cameras.items())) if name in keys}
    known = {name: cameras.get(name, by_key.get(key)) for name, key in keys.items()}
    return {name: camera for name, camera in known.items() if camera is not None}


def run_mapping(
    collection: Collection,
    database: Path,
    image_folder: Path,
    output: Path,
    options: MappingOptions,
    poses: KnownPoses | None,
) -> MapperRun:
    """Run the mapper that the options choose.

    Args:
        collection: Collection of the database.
        database: COLMAP database with the known cameras.
        image_folder: Folder that the image names are relative to.
        output: Existing empty folder.
        options: Options of the reconstruction.
        poses: Known poses by the names of the collection.

    Raises:
        InvalidInput: If there are too few positions for `use_priors`.
    """
    has_cameras = _has_cameras(options, poses)
    settings = dict(KEEP_INTRINSICS[options.mapper]) if has_cameras else {}
    if poses is not None:
        common = {
            "num_threads": -1 if options.threads is None else options.threads,
            "random_seed": options.seed,
        }
        kept = KnownPoseSettings(refine_poses=options.refine_poses, refine_intrinsics=not has_cameras)
        return map_known_poses(
            database,
            image_folder,
            output,
            poses.cam_from_world,
            settings=kept,
            options=common | settings | dict(options.mapper_options),
        )
    if options.use_priors:
        _check_priors(collection)
        settings["use_prior_position"] = True
    run = run_mapper if options.mapper == "incremental" else run_global_mapper
    return run(
        database,
        image_folder,
        output,
        threads=options.threads,
        seed=options.seed,
        options=options.mapper_options,
        settings=settings,
    )


def refine_run(
    collection: Collection, run: MapperRun, options: MappingOptions, poses: KnownPoses | None
) -> None:
    """Refine the keypoints of all models of a run, and write them again.

    Args:
        collection: Collection of the models.
        run: Result of the mapper; its models are changed.
        options: Options of the reconstruction.
        poses: Known poses, which stay as they are unless they are refined.

    Raises:
        InvalidInput: If an image cannot be read.
    """
    images = {image.name: image for image in collection.images}
    settings = Refinement(
        refine_poses=poses is None or options.refine_poses,
        refine_intrinsics=not _has_cameras(options, poses),
        threads=-1 if options.threads is None else options.threads,
    )
    for number, model in run.models.items():
        refine_keypoints(model, images, settings)
        model.write(str(run.folder / str(number)))


def _has_cameras(options: MappingOptions, poses: KnownPoses | None) -> bool:
    return options.intrinsics is not None or (poses is not None and bool(poses.cameras))


def _check_priors(collection: Collection) -> None:
    positions = [image.position for image in collection.images if image.position is not None]
    count = sum(position.altitude_m is not None for position in positions)
    if count < MIN_PRIORS:
        raise InvalidInput(
            f"use_priors: {count} of {len(collection.images)} images have a GPS position with an altitude in their EXIF "
            f"data; at least {MIN_PRIORS} are needed"
        )


def _given_camera(image: ImageRecord, camera: Camera) -> Any:
    """Return the given camera in COLMAP's convention; images of one size share it."""
    if image.exif_orientation != 1:
        raise InvalidInput(
            f"intrinsics: {image.name!r} has the EXIF orientation {image.exif_orientation}, and COLMAP reads images without "
            "it; store the images upright first"
        )
    camera_from_matrix(camera.intrinsics, image.image_size, name=f"the camera of {image.name!r}")
    (fx, fy), (cx, cy) = camera.focal_lengths, camera.principal_point
    values = (fx, fy, cx + HALF_PIXEL, cy + HALF_PIXEL, *camera.distortion)
    return make_camera("OPENCV", *image.image_size, values, camera_id=1)


def _check_size(image: ImageRecord, camera: Any) -> None:
    size = raster_size(image.image_size, image.exif_orientation)
    if size != (camera.width, camera.height):
        raise InvalidInput(
            f"{image.name!r} has {size[0]} x {size[1]} px, but its camera in the poses {camera.width} x {camera.height} px; "
            "give the poses of these images"
        )
