"""Data sets with ground truth, in their published layouts.

    homographies      HPatches, Oxford affine, custom lists of homographies
    superglue_pairs   SuperGlue's pair lists; also used for glue-factory's
    megadepth         MegaDepth-1500
    scannet           ScanNet-1500
    strecha           Strecha's scenes
    colmap            COLMAP models
    pairs_jsonl       pairs.jsonl, with any type of ground truth
    disparity         read_disparity: ground truth of rectified pairs

    builder           pairs and problems while a data set is read
    parsing           text -> numbers
    checks            numbers -> validated ground truth
    rotation          cameras and poses of rotated images
    safe_npz          .npz files with pickled arrays, read safely

An invalid line or a missing file is a problem of the Dataset, and the rest is read; a folder that does not contain the
data set raises InvalidInput, which lists the expected files.
"""

from collections.abc import Callable
from pathlib import Path

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.colmap import read_colmap
from tiepoint.evaluation.datasets.disparity import read_disparity
from tiepoint.evaluation.datasets.homographies import (
    read_homography_folder,
    read_hpatches,
    read_oxford_affine,
)
from tiepoint.evaluation.datasets.megadepth import read_megadepth1500
from tiepoint.evaluation.datasets.pairs_jsonl import read_pairs_jsonl
from tiepoint.evaluation.datasets.scannet import read_scannet1500
from tiepoint.evaluation.datasets.strecha import read_strecha
from tiepoint.evaluation.datasets.superglue_pairs import read_superglue_pairs
from tiepoint.evaluation.ground_truth import Dataset
from tiepoint.io.messages import unknown_name

READERS: dict[str, Callable[[str | Path], Dataset]] = {
    "hpatches": read_hpatches,
    "megadepth1500": read_megadepth1500,
    "scannet1500": read_scannet1500,
    "oxford-affine": read_oxford_affine,
    "homography-folder": read_homography_folder,
    "superglue-pairs": read_superglue_pairs,
    "strecha": read_strecha,
    "colmap": read_colmap,
    "pairs-jsonl": read_pairs_jsonl,
}
"""Name of a data set -> function that reads it from a path; "#SUBSET" after the path is interpreted by the reader."""


def read_dataset(name: str, path: str | Path) -> Dataset:
    """Read a data set with ground truth.

    Args:
        name: Name of the data set, one of `READERS`.
        path: File or folder; the function of the reader documents the subsets after "#".

    Returns:
        The valid pairs in order, and the problems of the others.

    Raises:
        InvalidInput: If the name is unknown, or the path does not contain the data set.
    """
    if name not in READERS:
        raise InvalidInput(unknown_name("data set", name, READERS))
    return READERS[name](Path(path).expanduser())


__all__ = ["READERS", "read_dataset", "read_disparity"]
