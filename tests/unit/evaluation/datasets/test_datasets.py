"""The table of readers, and folders without the data set."""

from pathlib import Path

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets import READERS, read_dataset

EXPECTED_FILES = {
    "hpatches": "H_1_6",
    "megadepth1500": r"pairs_calibrated\.txt",
    "scannet1500": r"test\.npz",
    "oxford-affine": "H1to2p",
    "homography-folder": r"pairs\.txt",
    "superglue-pairs": "K0 .9. K1 .9. T .16.",
    "strecha": "gt_dense_cameras",
    "colmap": "cameras, images and points3D",
    "pairs-jsonl": r"pairs\.jsonl",
}


def test_every_reader_is_tested() -> None:
    assert set(EXPECTED_FILES) == set(READERS)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_other_folders_are_refused_with_the_expected_files(name: str, folder: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match=EXPECTED_FILES[name]) as caught:
        read_dataset(name, tmp_path / folder)
    assert str(tmp_path / folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_data_set() -> None:
    with pytest.raises(InvalidInput, match=r"imagenet.*hpatches"):
        read_dataset("imagenet", "somewhere")
