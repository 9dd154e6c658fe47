"""Strecha's scenes: images with LIDAR-based camera poses (fountain-P11, Herz-Jesu-P8, castle-P19, ...)."""

from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.builder import DatasetBuilder
from tiepoint.evaluation.datasets.checks import checked_camera, checked_pose, posed_pair
from tiepoint.evaluation.datasets.parsing import parse_numbers, read_lines
from tiepoint.evaluation.ground_truth import Dataset, PoseGroundTruth
from tiepoint.geometry.multiview import relative_pose
from tiepoint.types import Camera

CAMERA_FOLDER = "gt_dense_cameras"
SUFFIX = ".camera"
ROWS = (3, 3, 3, 3, 3, 3, 3, 3, 2)
# Numbers per line: K, distortion (zeros), R camera -> world, center, width and height

MAX_ROTATION_DEG = 60.0
# Maximum relative rotation of a pair; beyond it, the images hardly overlap


class View(NamedTuple):
    """An image and its camera."""

    image: Path
    camera: Camera
    cam_from_world: np.ndarray


def read_strecha(path: str | Path) -> Dataset:
    """Read scenes with images in `images/0000.jpg` and cameras in `gt_dense_cameras/0000.jpg.camera`.

    All pairs of images with a relative rotation below 60 degrees are used.

    Args:
        path: Folder of a scene, or of several scenes.

    Raises:
        InvalidInput: If the folder contains no scene.

    Source: Strecha et al., On Benchmarking Camera Calibration and Multi-View Stereo (CVPR 2008).
    """
    folder = Path(path)
    scenes = [scene for scene in (folder, *sorted(folder.glob("*"))) if (scene / CAMERA_FOLDER).is_dir()]
    if not scenes:
        raise InvalidInput(
            f"{folder} is not a Strecha scene: expected {CAMERA_FOLDER}/0000.jpg{SUFFIX} and images/0000.jpg"
        )
    builder = DatasetBuilder()
    for scene in scenes:
        views: list[View | None] = []
        for file in sorted((scene / CAMERA_FOLDER).glob(f"*{SUFFIX}")):
            views.append(None)  # keeps the index gap of the others
            with builder.skip_invalid(file):
                views[-1] = _read_view(file, scene / "images" / file.name.removesuffix(SUFFIX), builder)
        for (i, view0), (j, view1) in combinations(enumerate(views), 2):
            if view0 is not None and view1 is not None:
                _add_pair(builder, scene.name, view0, view1, gap=j - i)
    return builder.dataset("strecha")


def _add_pair(builder: DatasetBuilder, scene: str, view0: View, view1: View, *, gap: int) -> None:
    pose = relative_pose(view0.cam_from_world, view1.cam_from_world)
    truth = PoseGroundTruth(camera0=view0.camera, camera1=view1.camera, cam1_from_cam0=pose)
    pair = posed_pair(scene, (view0.image, view1.image), truth, gap=gap)
    if float(pair.tags["rot_deg"]) < MAX_ROTATION_DEG:
        builder.add(pair)


def _read_view(file: Path, image: Path, builder: DatasetBuilder) -> View:
    lines = list(read_lines(file))
    if len(lines) != len(ROWS):
        raise InvalidInput(f"expected {len(ROWS)} lines (K, zeros, R, center, size), got {len(lines)}")
    rows = [
        parse_numbers(line, count, f"line {number}")
        for (number, line), count in zip(lines, ROWS, strict=True)
    ]
    size = (int(rows[8][0]), int(rows[8][1]))
    if builder.image_size(image) != size:
        raise InvalidInput(
            f"expected {size[0]} x {size[1]} px as in the camera file, but {image} has another size; was it resized?"
        )
    R, center = np.stack(rows[4:7]).T, rows[7]
    return View(
        image, checked_camera(np.stack(rows[:3]), size), checked_pose(np.column_stack([R, -R @ center]))
    )
