"""COLMAP models: every two images that share enough 3D points make a pair with a known pose."""

from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from jaxtyping import Float
from numpy import ndarray

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.builder import DatasetBuilder
from tiepoint.evaluation.datasets.checks import posed_pair
from tiepoint.evaluation.datasets.parsing import find_file, scene_name, split_subset
from tiepoint.evaluation.datasets.rotation import rotate_camera, rotate_pose
from tiepoint.evaluation.ground_truth import Dataset, EvaluationPair, PoseGroundTruth
from tiepoint.geometry.colmap import cam_from_world, camera_from_colmap, read_reconstruction
from tiepoint.geometry.multiview import relative_pose
from tiepoint.image.exif import ORIENTATIONS
from tiepoint.types import Camera

MODEL_FOLDERS = (".", "sparse/0", "sparse", "0")
# Folders of a project that may contain the model

MODEL_FILES = ("cameras", "images", "points3D")

MIN_SHARED_POINTS = 50
# Minimum number of 3D points that both images of a pair observe


class View(NamedTuple):
    """An image of a model, in the file's raster (before its EXIF orientation is applied)."""

    name: str
    camera: Camera
    cam_from_world: Float[ndarray, "3 4"]
    point3D_ids: frozenset[int]  # noqa: N815 (COLMAP's name)


def read_colmap(path: str | Path, *, min_shared_points: int = MIN_SHARED_POINTS) -> Dataset:
    """Read a COLMAP reconstruction, text or binary; its poses serve as ground truth.

    COLMAP uses the raster of the file and places the origin at its corner. Cameras and poses are rotated upright here
    according to EXIF, and principal points are moved by half a pixel.

    Args:
        path: Folder of the model (`cameras`, `images` and `points3D`, as .bin or .txt), or a project that has it in
            `sparse/0`. Images are expected in `images` next to the model or in a parent folder; append "#FOLDER" to
            name their folder, relative to `path` or absolute.
        min_shared_points: Minimum number of 3D points that both images of a pair observe.

    Raises:
        InvalidInput: If there is no model, or it is damaged.
        MissingDependency: If pycolmap is not installed.
    """
    folder, image_folder = split_subset(path)
    model = _find_model(folder)
    above = [model / "images", model.parent / "images", model.parent.parent / "images", model]
    folders = [folder / image_folder] if image_folder else above
    builder = DatasetBuilder()
    for view0, view1 in combinations(_read_views(model, builder), 2):
        if len(view0.point3D_ids & view1.point3D_ids) >= min_shared_points:
            with builder.skip_invalid(f"{model}, {view0.name} and {view1.name}"):
                builder.add(_pair(view0, view1, folders, builder))
    return builder.dataset("colmap")


def _find_model(folder: Path) -> Path:
    for name in MODEL_FOLDERS:
        if any(_has_model(folder / name, suffix) for suffix in (".bin", ".txt")):
            return folder / name
    raise InvalidInput(
        f"{folder} has no COLMAP model; expected cameras, images and points3D (.bin or .txt) there or in sparse/0"
    )


def _has_model(folder: Path, suffix: str) -> bool:
    return all((folder / f"{name}{suffix}").is_file() for name in MODEL_FILES)


def _read_views(model: Path, builder: DatasetBuilder) -> list[View]:
    """Return the images of a model, sorted by name; images with an invalid camera or pose are skipped."""
    reconstruction = read_reconstruction(model, extra="eval")
    views = []
    for image in sorted(reconstruction.images.values(), key=lambda image: image.name):
        with builder.skip_invalid(f"{model}, {image.name}"):
            views.append(_view(image, reconstruction))
    return views


def _view(image: Any, reconstruction: Any) -> View:
    return View(
        name=image.name,
        camera=camera_from_colmap(reconstruction.camera(image.camera_id)),
        cam_from_world=cam_from_world(image),
        point3D_ids=frozenset(point.point3D_id for point in image.get_observation_points2D()),
    )


def _pair(view0: View, view1: View, folders: list[Path], builder: DatasetBuilder) -> EvaluationPair:
    images = [find_file(folders, view.name) for view in (view0, view1)]
    (camera0, pose0), (camera1, pose1) = (
        _upright(view, image, builder) for view, image in zip((view0, view1), images, strict=True)
    )
    truth = PoseGroundTruth(camera0=camera0, camera1=camera1, cam1_from_cam0=relative_pose(pose0, pose1))
    shared_points = len(view0.point3D_ids & view1.point3D_ids)
    return posed_pair(scene_name(view0.name, "model"), images, truth, shared_points=shared_points)


def _upright(view: View, image: Path, builder: DatasetBuilder) -> tuple[Camera, Float[ndarray, "3 4"]]:
    """Return camera and pose of the upright image."""
    orientation = builder.exif_orientation(image)
    rotation_deg = ORIENTATIONS[orientation].rotation_deg
    if rotation_deg is None:
        raise InvalidInput(f"{image} is mirrored (EXIF orientation {orientation}); no camera model fits it")
    num_rotations = rotation_deg // 90
    camera = rotate_camera(view.camera, num_rotations)
    if camera.image_size != builder.image_size(image):
        width, height = view.camera.image_size or (0, 0)
        raise InvalidInput(
            f"expected {width} x {height} px as in the model, but {image} has another size; was it resized?"
        )
    return camera, rotate_pose(view.cam_from_world, num_rotations)
