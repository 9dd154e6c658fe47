"""MegaDepth-1500: glue-factory's list, or LoFTR's index files."""

from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.builder import DatasetBuilder
from tiepoint.evaluation.datasets.checks import checked_camera, checked_pose, posed_pair
from tiepoint.evaluation.datasets.parsing import find_file, split_subset
from tiepoint.evaluation.datasets.safe_npz import load_npz
from tiepoint.evaluation.datasets.superglue_pairs import add_posed_list
from tiepoint.evaluation.ground_truth import Dataset, EvaluationPair, PoseGroundTruth
from tiepoint.geometry.multiview import relative_pose

LIST_NAME = "pairs_calibrated.txt"
ARRAYS = ("image_paths", "intrinsics", "poses", "pair_infos")


def read_megadepth1500(path: str | Path) -> Dataset:
    """Read MegaDepth-1500 in the layout of glue-factory or LoFTR.

    glue-factory: `pairs_calibrated.txt` and the images in the folder or in its subfolder "images".
    LoFTR: `0015_0.1_0.3.npz` and four others (assets/megadepth_test_1500_scene_info); image paths in these files
    (Undistorted_SfM/0022/images/...) are relative to the folder or its parent.

    Args:
        path: Folder of the data set; append "#FOLDER" to name the folder of the images, relative to it or absolute.

    Raises:
        InvalidInput: If the folder has neither layout.

    Source: LoFTR (arXiv 2104.00680), section 4.3; `megadepth1500` of glue-factory.
    """
    folder, image_folder = split_subset(path)
    listing, indices = folder / LIST_NAME, sorted(folder.glob("*.npz"))
    builder = DatasetBuilder()
    if listing.is_file():
        add_posed_list(
            builder, listing, [folder / image_folder] if image_folder else [folder, folder / "images"]
        )
    elif indices:
        for index in indices:
            with builder.skip_invalid(index):
                _add_index(
                    builder, index, [folder / image_folder] if image_folder else [folder, folder.parent]
                )
    else:
        raise InvalidInput(
            f"{folder} is not MegaDepth-1500: expected {LIST_NAME} (glue-factory), or 0015_0.1_0.3.npz and the others "
            "of megadepth_test_1500_scene_info (LoFTR)"
        )
    return builder.dataset("megadepth1500")


def _add_index(builder: DatasetBuilder, index: Path, folders: list[Path]) -> None:
    arrays = load_npz(index)
    if missing := [name for name in ARRAYS if name not in arrays]:
        raise InvalidInput(f"expected a LoFTR index with {', '.join(ARRAYS)}; missing: {', '.join(missing)}")
    for row, info in enumerate(arrays["pair_infos"]):
        with builder.skip_invalid(f"{index}, pair_infos[{row}]"):
            builder.add(_pair(arrays, info, index, folders, builder))


def _pair(
    arrays: dict[str, np.ndarray], info: Any, index: Path, folders: list[Path], builder: DatasetBuilder
) -> EvaluationPair:
    (i, j), overlap = _parse_info(info, len(arrays["image_paths"]))
    images = [find_file(folders, str(arrays["image_paths"][k])) for k in (i, j)]
    poses = [checked_pose(_matrix(arrays, "poses", k, (4, 4))) for k in (i, j)]
    cameras = [
        checked_camera(_matrix(arrays, "intrinsics", k, (3, 3)), builder.image_size(image))
        for k, image in zip((i, j), images, strict=True)
    ]
    truth = PoseGroundTruth(camera0=cameras[0], camera1=cameras[1], cam1_from_cam0=relative_pose(*poses))
    return posed_pair(index.stem.partition("_")[0], images, truth, overlap=overlap)


def _parse_info(info: Any, count: int) -> tuple[tuple[int, int], float]:
    try:
        (i, j), overlap = (int(info[0][0]), int(info[0][1])), float(info[1])
    except (TypeError, ValueError, IndexError) as error:
        raise InvalidInput(f"expected ((i, j), overlap, ...), got {info!r:.60}") from error
    if not (0 <= i < count and 0 <= j < count):
        raise InvalidInput(f"image indices {i} and {j} are out of range for {count} images")
    return (i, j), overlap


def _matrix(arrays: dict[str, np.ndarray], name: str, k: int, shape: tuple[int, int]) -> np.ndarray:
    try:
        return np.asarray(arrays[name][k], dtype=np.float64).reshape(shape)
    except (TypeError, ValueError, IndexError) as error:
        raise InvalidInput(f"{name}[{k}] is not a matrix of shape {shape}") from error
