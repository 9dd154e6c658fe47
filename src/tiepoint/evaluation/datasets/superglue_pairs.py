"""Text lists of pairs with intrinsics and poses: SuperGlue's, and glue-factory's pairs_calibrated.txt."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.builder import DatasetBuilder
from tiepoint.evaluation.datasets.checks import camera_of, pose_from, posed_pair
from tiepoint.evaluation.datasets.parsing import find_file, numbers, read_lines, scene_of, split_part
from tiepoint.evaluation.datasets.rotation import turn_truth
from tiepoint.evaluation.ground_truth import Dataset, EvaluationPair, PoseGroundTruth

WORDS_OF_POSE = {12: "R (9), t (3)", 16: "T (16)"}
"""Words behind the two K; twelve are R and then t, not three rows of four."""


class Row(NamedTuple):
    """A line of a list."""

    names: tuple[str, str]
    quarter_turns: tuple[int, int]
    intrinsics: tuple[np.ndarray, np.ndarray]
    cam1_from_cam0: np.ndarray


def read_superglue_pairs(path: str | Path) -> Dataset:
    """A list of SuperGlue: name0 name1 rot0 rot1 K0 (9) K1 (9) T (16), 38 words a line.

    rot0 and rot1 are counter-clockwise quarter turns that make the images upright; K and T are those of the images
    before. Lines of 2 or 4 words name a pair without truth and are reported as problems.

    Args:
        path: the list. Images are looked for in the folder of the list, in its subfolder "images", and, for
            X_pairs.txt or X_pairs_with_gt.txt, in X_images; "#FOLDER" behind the path names the folder.

    Raises:
        InvalidInput: no such file.

    Source: `match_pairs.py` of SuperGluePretrainedNetwork (arXiv 1911.11763).
    """
    listing, part = split_part(path)
    if not listing.is_file():
        raise InvalidInput(
            f"{listing} is no file: expected a list whose lines are: name0 name1 rot0 rot1 K0 (9) K1 (9) T (16)"
        )
    subset = listing.stem.partition("_pairs")[0]
    folders = [listing.parent / name for name in (part or ".", f"{subset}_images", "images")]
    builder = DatasetBuilder()
    add_posed_list(builder, listing, folders[:1] if part else folders)
    return builder.dataset("superglue-pairs")


def add_posed_list(builder: DatasetBuilder, listing: Path, image_folders: Sequence[Path]) -> None:
    """Add the pairs of a list; whatever is wrong with a line becomes a problem."""
    for number, line in read_lines(listing):
        with builder.skip_invalid(listing, number):
            row = _parse(line.split())
            builder.add(_pair(row, image_folders, builder, default_scene=listing.parent.name))


def _parse(words: Sequence[str]) -> Row:
    if len(words) in (2, 4):
        raise InvalidInput(
            "the pair has no ground truth (K0, K1 and T); it can be matched, but not evaluated"
        )
    turned = len(words) == 38
    pose = words[22:] if turned else words[20:]
    if len(pose) not in WORDS_OF_POSE:
        raise InvalidInput(
            "a line must hold name0 name1 K0 (9) K1 (9) and R (9) t (3) or T (16), with rot0 rot1 before K0 in "
            f"SuperGlue's lists: 32, 36 or 38 words, but holds {len(words)}"
        )
    rest = words[4:] if turned else words[2:]
    K0, K1 = (numbers(rest[start : start + 9], 9, f"K{start // 9}").reshape(3, 3) for start in (0, 9))
    turns = (_quarter_turns(words[2]), _quarter_turns(words[3])) if turned else (0, 0)
    return Row((words[0], words[1]), turns, (K0, K1), _pose(pose))


def _pose(words: Sequence[str]) -> np.ndarray:
    values = numbers(words, len(words), "the pose")
    if len(words) == 16:
        return pose_from(values.reshape(4, 4))
    return pose_from(np.column_stack([values[:9].reshape(3, 3), values[9:]]))


def _quarter_turns(word: str) -> int:
    if word not in ("0", "1", "2", "3"):
        raise InvalidInput(f"rot0 and rot1 must be 0, 1, 2 or 3 quarter turns, but one is {word!r}")
    return int(word)


def _pair(
    row: Row, folders: Sequence[Path], builder: DatasetBuilder, *, default_scene: str
) -> EvaluationPair:
    image0, image1 = (find_file(folders, name) for name in row.names)
    truth = PoseGroundTruth(
        camera0=camera_of(row.intrinsics[0], builder.image_size(image0)),
        camera1=camera_of(row.intrinsics[1], builder.image_size(image1)),
        cam1_from_cam0=row.cam1_from_cam0,
    )
    truth = turn_truth(truth, *row.quarter_turns)
    scene = scene_of(row.names[0], default_scene)
    turns0, turns1 = row.quarter_turns
    pair = posed_pair(scene, (image0, image1), truth)
    return replace(pair, quarter_turns0=turns0, quarter_turns1=turns1)
