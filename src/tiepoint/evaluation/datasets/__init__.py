"""Data sets with ground truth, in the layouts in which people have them.

    homographies   HPatches, Oxford affine, a list of one's own
    posed_lists    SuperGlue's lists; also behind glue-factory's
    megadepth      MegaDepth-1500
    scannet        ScanNet-1500
    strecha        Strecha's scenes
    colmap         models of COLMAP; colmap_models: their files
    pairs_jsonl    pairs.jsonl, with any kind of truth
    disparity      read_disparity: the truth of rectified pairs

    collecting     pairs and problems while a data set is read
    parsing        text -> numbers; truths: numbers -> checked truths; turning: cameras of turned images
    object_arrays  .npz files with pickled arrays, read safely

A line that is broken or a file that is missing is a problem of the Dataset, and the rest is read; a folder that is
no such data set is InvalidInput, which says what files were expected.
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
"""Name of a data set -> function that reads it from a path; "#PART" behind a path is the reader's."""


def read_dataset(name: str, path: str | Path) -> Dataset:
    """Read a data set with ground truth.

    Args:
        name: one of `READERS`.
        path: file or folder; see the reader for what may follow behind "#".

    Returns:
        The pairs that could be read, in order, and the problems of the others.

    Raises:
        InvalidInput: an unknown name, a path that doesn't exist, or another data set.
    """
    if name not in READERS:
        raise InvalidInput(f"there is no data set {name!r}; there are {', '.join(READERS)}")
    return READERS[name](Path(path).expanduser())


__all__ = ["READERS", "read_dataset", "read_disparity"]
