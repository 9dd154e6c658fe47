"""ScanNet-1500: glue-factory's list, or LoFTR's index."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.builder import DatasetBuilder
from tiepoint.evaluation.datasets.checks import checked_camera, checked_pose, posed_pair, scaled_intrinsics
from tiepoint.evaluation.datasets.parsing import find_file, read_matrix, split_subset
from tiepoint.evaluation.datasets.safe_npz import load_npz
from tiepoint.evaluation.datasets.superglue_pairs import add_posed_list
from tiepoint.evaluation.ground_truth import Dataset, EvaluationPair, PoseGroundTruth
from tiepoint.geometry.multiview import relative_pose
from tiepoint.types import Camera

LIST_NAME, INDEX_NAME, INTRINSICS_NAME = "pairs_calibrated.txt", "test.npz", "intrinsics.npz"
SCANS = (".", "scannet_test_1500", "scans_test", "test")
# Usual folders of the scenes, relative to the index

LOFTR_SIZE = (640, 480)
# Image size (width, height) in px of LoFTR's intrinsics.npz


class Index(NamedTuple):
    """LoFTR's index and the intrinsics next to it."""

    names: np.ndarray
    poses: np.ndarray | None
    intrinsics: dict[str, np.ndarray]
    folders: Sequence[Path]


def read_scannet1500(path: str | Path) -> Dataset:
    """Read ScanNet-1500 in the layout of glue-factory or LoFTR.

    glue-factory: `pairs_calibrated.txt` and the images in the folder or in its subfolder "images".
    LoFTR: `test.npz`, and `scene0707_00/color/15.jpg` in the folder or in its subfolder "scannet_test_1500",
    "scans_test" or "test"; poses from `test.npz` (rel_pose) or `scene0707_00/pose/15.txt`; intrinsics from
    `scene0707_00/intrinsic/intrinsic_color.txt` (for the original images), or from `intrinsics.npz` (for 640 x 480 px,
    scaled to the actual images).

    Args:
        path: Folder of the data set; append "#FOLDER" to name the folder of the scenes, relative to it or absolute.

    Raises:
        InvalidInput: If the folder has neither layout.

    Source: SuperGlue (arXiv 1911.11763), section 5.2; LoFTR's assets/scannet_test_1500.
    """
    folder, image_folder = split_subset(path)
    builder = DatasetBuilder()
    if (listing := folder / LIST_NAME).is_file():
        add_posed_list(
            builder, listing, [folder / image_folder] if image_folder else [folder, folder / "images"]
        )
    elif (index_file := folder / INDEX_NAME).is_file():
        index = _read_index(
            index_file, [folder / name for name in ((image_folder,) if image_folder else SCANS)]
        )
        for row in range(len(index.names)):
            with builder.skip_invalid(f"{index_file}, name[{row}]"):
                builder.add(_pair(index, row, builder))
    else:
        raise InvalidInput(
            f"{folder} is not ScanNet-1500: expected {LIST_NAME} (glue-factory), or {INDEX_NAME} next to the folders "
            "of the scenes (LoFTR)"
        )
    return builder.dataset("scannet1500")


def _read_index(path: Path, folders: Sequence[Path]) -> Index:
    arrays = load_npz(path)
    names = arrays.get("name")
    if names is None or names.ndim != 2 or names.shape[1] != 4:
        raise InvalidInput(
            f"{path} must contain an array name of shape (n, 4): scene, part, frame 0, frame 1"
        )
    intrinsics = path.with_name(INTRINSICS_NAME)
    return Index(names, arrays.get("rel_pose"), load_npz(intrinsics) if intrinsics.is_file() else {}, folders)


def _pair(index: Index, row: int, builder: DatasetBuilder) -> EvaluationPair:
    number, part, frame0, frame1 = (int(value) for value in index.names[row])
    scene = f"scene{number:04d}_{part:02d}"
    images = [find_file(index.folders, f"{scene}/color/{frame}.jpg") for frame in (frame0, frame1)]
    cameras = [_camera(index, scene, builder.image_size(image)) for image in images]
    truth = PoseGroundTruth(
        camera0=cameras[0], camera1=cameras[1], cam1_from_cam0=_pose(index, row, scene, (frame0, frame1))
    )
    return posed_pair(scene, images, truth)


def _camera(index: Index, scene: str, image_size: tuple[int, int]) -> Camera:
    native = find_file(index.folders, f"{scene}/intrinsic/intrinsic_color.txt")
    if native.is_file():
        return checked_camera(read_matrix(native, 4, 4)[:3, :3], image_size)
    if scene not in index.intrinsics:
        raise InvalidInput(
            f"no intrinsics for {scene}: found neither {native} nor an entry in {INTRINSICS_NAME}"
        )
    K = np.asarray(index.intrinsics[scene], dtype=np.float64).reshape(3, 3)
    return checked_camera(scaled_intrinsics(K, LOFTR_SIZE, image_size), image_size)


def _pose(index: Index, row: int, scene: str, frames: tuple[int, int]) -> np.ndarray:
    if index.poses is not None:
        return checked_pose(np.asarray(index.poses[row], dtype=np.float64).reshape(3, 4))
    cam_from_world = []
    for frame in frames:  # ScanNet's files contain world_from_cam
        file = find_file(index.folders, f"{scene}/pose/{frame}.txt")
        cam_from_world.append(checked_pose(np.linalg.inv(read_matrix(file, 4, 4))))
    return relative_pose(*cam_from_world)
