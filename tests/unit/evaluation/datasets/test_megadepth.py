"""LoFTR's index files of MegaDepth-1500."""

from pathlib import Path

import numpy as np
import pytest
from tests.helpers.posed_pairs import (
    K0,
    K1,
    POSE4,
    R,
    assert_truth_holds,
    write_image,
)

from tiepoint.evaluation.datasets import read_dataset
from tiepoint.evaluation.datasets.safe_npz import load_npz


class TestMegaDepthIndex:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        index = tmp_path / "megadepth_test_1500_scene_info"
        index.mkdir()
        names = np.array([None, *(f"Undistorted_SfM/0022/images/{n}.jpg" for n in "abc")], dtype=object)
        for name in names[1:]:
            write_image(tmp_path / name)
        world = np.vstack([np.column_stack([R.T, [3.0, 2, 1]]), [0, 0, 0, 1]])  # any frame will do
        poses, intrinsics = np.empty(4, dtype=object), np.empty(4, dtype=object)
        poses[1:], intrinsics[1:] = [world, POSE4 @ world, POSE4 @ world], [K0, K1, K1]
        infos = np.empty(2, dtype=object)
        infos[:] = [((1, 2), 0.15, np.zeros((3, 2))), ((1, 3), np.float64(0.3), [(1, 2)])]
        np.savez(
            index / "0022_0.1_0.3.npz",
            image_paths=names,
            poses=poses,
            intrinsics=intrinsics,
            pair_infos=infos,
            depth_paths=np.array(["x"]),
        )
        return index

    def test_images_are_found_in_the_parent_folder(self, folder: Path) -> None:
        dataset = read_dataset("megadepth1500", folder)
        assert dataset.problems == ()
        assert [pair.name for pair in dataset.pairs] == ["0022/a-b", "0022/a-c"]
        assert [pair.tags["overlap"] for pair in dataset.pairs] == [0.15, 0.3]
        for pair in dataset.pairs:
            assert_truth_holds(pair)

    def test_the_image_folder_can_be_specified(
        self, folder: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        other = tmp_path_factory.mktemp("images")
        (folder.parent / "Undistorted_SfM").rename(other / "Undistorted_SfM")
        assert len(read_dataset("megadepth1500", folder).problems) == 2
        assert len(read_dataset("megadepth1500", f"{folder}#{other}")) == 2

    def test_invalid_index_files_are_reported(self, folder: Path) -> None:
        (folder / "0015_0.1_0.3.npz").write_bytes(b"no zip file")
        np.savez(folder / "0015_0.3_0.5.npz", poses=np.zeros(1))
        dataset = read_dataset("megadepth1500", folder)
        assert len(dataset) == 2
        assert "0015_0.1_0.3.npz" in dataset.problems[0]
        assert "missing: image_paths, intrinsics, pair_infos" in dataset.problems[1]

    def test_invalid_rows_are_reported(self, folder: Path) -> None:
        file = folder / "0022_0.1_0.3.npz"
        arrays = load_npz(file)
        infos = np.empty(4, dtype=object)
        infos[:] = [None, ((0, 1), 0.2, None), ((1, 9), 0.2, None), ((1, 2), 0.2, None)]
        np.savez(file, **(arrays | {"pair_infos": infos}))
        dataset = read_dataset("megadepth1500", folder)
        assert len(dataset) == 1
        texts = [
            "got None",
            "poses[0]",
            "4 images",
        ]
        for row, (problem, text) in enumerate(zip(dataset.problems, texts, strict=True)):
            assert f"pair_infos[{row}]" in problem
            assert text in problem
