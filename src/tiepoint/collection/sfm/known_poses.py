"""Models that begin with known poses: triangulation, refinement, and registration of the other images."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from tiepoint.collection.sfm.mapper import MIN_POINTS, Attempt, MapperRun
from tiepoint.collection.sfm.mapper_options import make_mapper_options
from tiepoint.geometry.colmap import cam_from_world, quiet_pycolmap, require_pycolmap

MIN_ALIGNED_IMAGES = 3
"""Number of images from which refined poses are aligned with the given ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPoseSettings:
    """What is kept of the given poses and cameras.

    Attributes:
        refine_poses: Whether bundle adjustment refines the given poses.
        refine_intrinsics: Whether it refines the cameras.
    """

    refine_poses: bool = False
    refine_intrinsics: bool = False


def map_known_poses(
    database: Path,
    image_folder: Path,
    output: Path,
    poses: Mapping[str, Float[np.ndarray, "3 4"]],
    *,
    settings: KnownPoseSettings,
    options: Mapping[str, Any],
) -> MapperRun:
    """Triangulate points in known poses, refine the poses if wanted, and register the images without a pose.

    Args:
        database: COLMAP database with the known cameras.
        image_folder: Folder that the image names are relative to.
        output: Existing empty folder; the model is in its subfolder `0`.
        poses: Name of an image -> pose [R | t]; X_cam = R X_world + t.
        settings: Treatment of the given poses and cameras.
        options: Options of the incremental mapper by name.
    """
    attempt = Attempt(name="known poses, refined" if settings.refine_poses else "known poses")
    model = model_in_database(database, poses)
    pipeline = make_mapper_options(options)
    pycolmap = require_pycolmap()
    with quiet_pycolmap(silent=True):
        model = pycolmap.triangulate_points(
            model,
            str(database),
            str(image_folder),
            str(output),
            clear_points=True,
            options=pipeline,
            refine_intrinsics=settings.refine_intrinsics and not settings.refine_poses,
        )
        if settings.refine_poses and model.num_points3D():
            _refine(model, poses, settings, seed=pipeline.random_seed, threads=pipeline.num_threads)
    if model.num_points3D() < MIN_POINTS:
        return MapperRun(models={}, folder=output, attempts=(attempt,), best=None)
    for path in output.iterdir():
        path.unlink()
    (output / "0").mkdir()
    model.write(str(output / "0"))
    models = {0: model}
    if model.num_reg_images() < _count_images(database):
        kept = not settings.refine_poses
        models = register_images(database, image_folder, output, options, keep_poses=kept)
    return MapperRun(models=models, folder=output, attempts=(attempt,), best=attempt)


def register_images(
    database: Path, image_folder: Path, output: Path, options: Mapping[str, Any], *, keep_poses: bool
) -> dict[int, Any]:
    """Register the other images of a database in an existing model, which is replaced.

    Args:
        database: COLMAP database.
        image_folder: Folder that the image names are relative to.
        output: Folder with the model in its subfolder `0`, with the ids of the database.
        options: Options of the incremental mapper by name.
        keep_poses: Whether the poses of the model stay as they are.

    Returns:
        The model as number 0.
    """
    pycolmap = require_pycolmap()
    kept = {"fix_existing_frames": keep_poses, "multiple_models": False}
    pipeline = make_mapper_options(options, kept)
    former = pycolmap.Reconstruction(str(output / "0"))
    found = output / "registered"
    found.mkdir()
    with quiet_pycolmap(silent=True):
        models = pycolmap.incremental_mapping(
            str(database), str(image_folder), str(found), pipeline, input_path=str(output / "0")
        )
    best = max(models.values(), key=lambda model: model.num_reg_images(), default=former)
    model = best if best.num_reg_images() >= former.num_reg_images() else former
    model.write(str(output / "0"))
    shutil.rmtree(found)
    return {0: model}


def model_in_database(
    database: Path, poses: Mapping[str, Float[np.ndarray, "3 4"]], points: Any | None = None
) -> Any:
    """Return a `pycolmap.Reconstruction` of posed images with the ids and the keypoints of a database.

    Args:
        database: COLMAP database.
        poses: Name of an image -> pose [R | t].
        points: `pycolmap.Reconstruction` of images with the same names and keypoints, whose points are taken over; None
            for none.
    """
    pycolmap = require_pycolmap()
    model = pycolmap.Reconstruction()
    with pycolmap.Database.open(str(database)) as file:
        images = [image for image in file.read_all_images() if image.name in poses]
        used = {image.camera_id for image in images}
        for camera in file.read_all_cameras():
            if camera.camera_id in used:
                model.add_camera_with_trivial_rig(camera)
        for image in images:
            keypoints = file.read_keypoints(image.image_id)[:, :2].astype(np.float64)
            posed = pycolmap.Image(
                name=image.name, keypoints=keypoints, camera_id=image.camera_id, image_id=image.image_id
            )
            model.add_image_with_trivial_frame(posed, pycolmap.Rigid3d(poses[image.name]))
    if points is not None:
        ids = {image.name: image.image_id for image in images}
        _copy_points(points, model, {points.find_image_with_name(name).image_id: ids[name] for name in ids})
    return model


def poses_of(model: Any, names: Iterable[str]) -> dict[str, Float[np.ndarray, "3 4"]]:
    """Return the poses of registered images by name.

    Args:
        model: `pycolmap.Reconstruction`.
        names: Names of registered images.
    """
    return {name: cam_from_world(model.find_image_with_name(name)) for name in names}


def _copy_points(source: Any, target: Any, image_ids: Mapping[int, int]) -> None:
    pycolmap = require_pycolmap()
    for number in sorted(source.point3D_ids()):
        point = source.point3D(number)
        track = pycolmap.Track()
        for each in point.track.elements:
            track.add_element(image_ids[each.image_id], each.point2D_idx)
            refined = source.image(each.image_id).points2D[each.point2D_idx].xy
            target.image(image_ids[each.image_id]).points2D[each.point2D_idx].xy = refined
        target.add_point3D(point.xyz, track, point.color)


def _refine(
    model: Any,
    poses: Mapping[str, Float[np.ndarray, "3 4"]],
    settings: KnownPoseSettings,
    *,
    seed: int,
    threads: int,
) -> None:
    """Adjust poses and points, and move the model back to the given positions."""
    pycolmap = require_pycolmap()
    options = pycolmap.BundleAdjustmentOptions()
    options.refine_focal_length = options.refine_extra_params = settings.refine_intrinsics
    options.ceres.solver_options.num_threads = threads
    pycolmap.bundle_adjustment(model, options)
    names = [model.image(number).name for number in sorted(model.reg_image_ids())]
    refined = poses_of(model, names)
    if len(names) >= MIN_ALIGNED_IMAGES:
        given, found = (np.array([_center(each[name]) for name in names]) for each in (poses, refined))
        if (moved := pycolmap.estimate_sim3d(found, given)) is not None:
            model.transform(moved)


def _center(pose: Float[np.ndarray, "3 4"]) -> Float[np.ndarray, "3"]:
    return -pose[:, :3].T @ pose[:, 3]


def _count_images(database: Path) -> int:
    with require_pycolmap().Database.open(str(database)) as file:
        return file.num_images()
