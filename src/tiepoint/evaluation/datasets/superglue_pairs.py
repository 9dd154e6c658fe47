"""Pair lists with intrinsics and poses: SuperGlue's, and glue-factory's pairs_calibrated.txt."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.builder import DatasetBuilder
from tiepoint.evaluation.datasets.checks import checked_camera, checked_pose, posed_pair
from tiepoint.evaluation.datasets.parsing import (
    find_file,
    parse_numbers,
    read_lines,
    scene_name,
    split_subset,
)
from tiepoint.evaluation.datasets.rotation import rotate_ground_truth
from tiepoint.evaluation.ground_truth import Dataset, EvaluationPair, PoseGroundTruth

POSE_LENGTHS = {12: "R (9), t (3)", 16: "T (16)"}
# Number of words after the two K; twelve are R followed by t, not three rows of four


class Row(NamedTuple):
    """A line of a list."""

    names: tuple[str, str]
    num_rotations: tuple[int, int]
    intrinsics: tuple[np.ndarray, np.ndarray]
    cam1_from_cam0: np.ndarray


def read_superglue_pairs(path: str | Path) -> Dataset:
    """Read a SuperGlue list: name0 name1 rot0 rot1 K0 (9) K1 (9) T (16), 38 words per line.

    rot0 and rot1 are the numbers of 90-degree rotations (CCW) that make the images upright; K and T refer to the images
    before rotation. Lines of 2 or 4 words are pairs without ground truth and are reported as problems.

    Args:
        path: Path of the list. Images are expected in the folder of the list, in its subfolder "images", or, for
            X_pairs.txt and X_pairs_with_gt.txt, in X_images; append "#FOLDER" to name the folder.

    Raises:
        InvalidInput: If the file does not exist.

    Source: `match_pairs.py` of SuperGluePretrainedNetwork (arXiv 1911.11763).
    """
    listing, image_folder = split_subset(path)
    if not listing.is_file():
        raise InvalidInput(
            f"{listing} not found: expected a list with lines of the form: name0 name1 rot0 rot1 K0 (9) K1 (9) T (16)"
        )
    subset = listing.stem.partition("_pairs")[0]
    folders = [listing.parent / name for name in (image_folder or ".", f"{subset}_images", "images")]
    builder = DatasetBuilder()
    add_posed_list(builder, listing, folders[:1] if image_folder else folders)
    return builder.dataset("superglue-pairs")


def add_posed_list(builder: DatasetBuilder, listing: Path, image_folders: Sequence[Path]) -> None:
    """Add the pairs of a list; invalid lines become problems."""
    for number, line in read_lines(listing):
        with builder.skip_invalid(listing, number):
            row = _parse(line.split())
            builder.add(_pair(row, image_folders, builder, default_scene=listing.parent.name))


def _parse(words: Sequence[str]) -> Row:
    if len(words) in (2, 4):
        raise InvalidInput("the pair has no ground truth (K0, K1 and T) and cannot be evaluated")
    has_rotations = len(words) == 38
    pose = words[22:] if has_rotations else words[20:]
    if len(pose) not in POSE_LENGTHS:
        raise InvalidInput(
            "expected name0 name1 K0 (9) K1 (9) and R (9) t (3) or T (16), with rot0 rot1 before K0 in SuperGlue's "
            f"lists: 32, 36 or 38 words, got {len(words)}"
        )
    rest = words[4:] if has_rotations else words[2:]
    K0, K1 = (parse_numbers(rest[start : start + 9], 9, f"K{start // 9}").reshape(3, 3) for start in (0, 9))
    num_rotations = (_num_rotations(words[2]), _num_rotations(words[3])) if has_rotations else (0, 0)
    return Row((words[0], words[1]), num_rotations, (K0, K1), _pose(pose))


def _pose(words: Sequence[str]) -> np.ndarray:
    values = parse_numbers(words, len(words), "the pose")
    if len(words) == 16:
        return checked_pose(values.reshape(4, 4))
    return checked_pose(np.column_stack([values[:9].reshape(3, 3), values[9:]]))


def _num_rotations(word: str) -> int:
    if word not in ("0", "1", "2", "3"):
        raise InvalidInput(f"rot0 and rot1 must be 0, 1, 2 or 3 (rotations by 90 degrees), got {word!r}")
    return int(word)


def _pair(
    row: Row, folders: Sequence[Path], builder: DatasetBuilder, *, default_scene: str
) -> EvaluationPair:
    image0, image1 = (find_file(folders, name) for name in row.names)
    truth = PoseGroundTruth(
        camera0=checked_camera(row.intrinsics[0], builder.image_size(image0)),
        camera1=checked_camera(row.intrinsics[1], builder.image_size(image1)),
        cam1_from_cam0=row.cam1_from_cam0,
    )
    truth = rotate_ground_truth(truth, *row.num_rotations)
    scene = scene_name(row.names[0], default_scene)
    num_rotations0, num_rotations1 = row.num_rotations
    pair = posed_pair(scene, (image0, image1), truth)
    return replace(pair, num_rotations0=num_rotations0, num_rotations1=num_rotations1)
