"""COLMAP models: every two images that share enough points make a pair with a pose."""

from itertools import combinations
from pathlib import Path

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.builder import Collected
from tiepoint.evaluation.datasets.checks import posed_pair
from tiepoint.evaluation.datasets.colmap_reader import View, read_model
from tiepoint.evaluation.datasets.parsing import find_file, scene_of, split_part
from tiepoint.evaluation.datasets.rotation import TURNS_OF_EXIF, turn_camera, turn_pose
from tiepoint.evaluation.ground_truth import Dataset, EvaluationPair, PoseTruth
from tiepoint.geometry.multiview import relative_pose
from tiepoint.types import Camera

MODELS = (".", "sparse/0", "sparse", "0")
"""Where a model lies, relative to the folder of a project."""

MIN_SHARED_POINTS = 50


def read_colmap(path: str | Path, *, min_shared_points: int = MIN_SHARED_POINTS) -> Dataset:
    """A reconstruction of COLMAP, as text or binary; the poses are as good as it is.

    COLMAP works on the raster of a file and puts the origin at its corner. Cameras and poses are turned upright here
    where EXIF says so, and principal points are moved by half a pixel.

    Args:
        path: the folder of the model (`cameras.txt`, `images.txt`, or `cameras.bin`, `images.bin`), or a
            project that has it in `sparse/0`. Images are looked for in `images` beside the model or above it;
            "#FOLDER" behind the path names their folder, relative to it or absolute.
        min_shared_points: number of 3D points that both images of a pair must see.

    Raises:
        InvalidInput: no model, or a binary one that is damaged.
    """
    folder, part = split_part(path)
    model = next((folder / name for name in MODELS if _holds_model(folder / name)), None)
    if model is None:
        raise InvalidInput(
            f"{folder} has no COLMAP model: expected cameras.txt and images.txt, or cameras.bin and images.bin, "
            "there or in sparse/0"
        )
    above = [model / "images", model.parent / "images", model.parent.parent / "images", model]
    folders = [folder / part] if part else above
    found = Collected()
    views = read_model(model, found)
    for view0, view1 in combinations(views, 2):
        if len(view0.points & view1.points) >= min_shared_points:
            with found.trying(f"{model}, {view0.name} and {view1.name}"):
                found.add(_pair(view0, view1, folders, found))
    return found.dataset("colmap")


def _holds_model(folder: Path) -> bool:
    return any(
        (folder / f"cameras{s}").is_file() and (folder / f"images{s}").is_file() for s in (".txt", ".bin")
    )


def _pair(view0: View, view1: View, folders: list[Path], found: Collected) -> EvaluationPair:
    images = [find_file(folders, view.name) for view in (view0, view1)]
    (camera0, pose0), (camera1, pose1) = (
        _upright(view, image, found) for view, image in zip((view0, view1), images, strict=True)
    )
    truth = PoseTruth(camera0=camera0, camera1=camera1, cam1_from_cam0=relative_pose(pose0, pose1))
    shared_points = len(view0.points & view1.points)
    return posed_pair(scene_of(view0.name, "model"), images, truth, shared_points=shared_points)


def _upright(view: View, image: Path, found: Collected) -> tuple[Camera, np.ndarray]:
    orientation = found.exif_orientation(image)
    if orientation not in TURNS_OF_EXIF:
        raise InvalidInput(f"{image} is mirrored (EXIF orientation {orientation}), which no camera can be")
    turns = TURNS_OF_EXIF[orientation]
    camera = turn_camera(view.camera, turns)
    if camera.image_size != found.image_size(image):
        width, height = view.camera.image_size or (0, 0)
        raise InvalidInput(
            f"the model is of {width} x {height} px, but {image} has another size; was it resized?"
        )
    return camera, turn_pose(view.cam_from_world, turns)
