"""Pair lists with intrinsics and poses of SuperGlue and glue-factory."""

from pathlib import Path

import numpy as np
import pytest
from tests.helpers.posed_pairs import (
    K0,
    K1,
    POSE,
    POSE4,
    SIZE,
    assert_truth_holds,
    words,
    write_image,
)

from tiepoint.evaluation.datasets import read_dataset


def superglue_line(name0: str, name1: str, turns: tuple[int, int] = (0, 0)) -> str:
    return f"{name0} {name1} {turns[0]} {turns[1]} {words(K0, K1, POSE4)}"


class TestSuperGlue:
    @pytest.fixture
    def listing(self, tmp_path: Path) -> Path:
        for name in ("a", "b", "scene0707_00_frame-000015", "scene0707_00_frame-000585"):
            write_image(tmp_path / "test_images" / f"{name}.jpg")
        return tmp_path / "test_pairs_with_gt.txt"

    def test_a_list(self, listing: Path) -> None:
        scannet = ("scene0707_00_frame-000015.jpg", "scene0707_00_frame-000585.jpg")
        listing.write_text(superglue_line(*scannet) + "\n" + superglue_line("a.jpg", "b.jpg") + "\n")
        dataset = read_dataset("superglue-pairs", listing)
        assert dataset.problems == ()
        names = ["scene0707_00/frame-000015-frame-000585", f"{listing.parent.name}/a-b"]
        assert [pair.name for pair in dataset.pairs] == names
        pair = dataset.pairs[0]
        assert pair.image0 == listing.parent / "test_images" / scannet[0]
        assert pair.truth.camera1.intrinsics.tolist() == K1.tolist()
        assert pair.truth.camera0.image_size == SIZE
        assert pair.tags == {"rot_deg": 20.0}
        assert_truth_holds(pair)

    @pytest.mark.parametrize("turns", [(1, 0), (0, 1), (2, 3), (3, 1), (3, 3)], ids=str)
    def test_rotations_by_90_degrees(self, listing: Path, turns: tuple[int, int]) -> None:
        listing.write_text(superglue_line("a.jpg", "b.jpg", turns))
        pair = read_dataset("superglue-pairs", listing).pairs[0]
        assert (pair.num_rotations0, pair.num_rotations1) == turns
        assert pair.truth.camera0.image_size == (SIZE if turns[0] % 2 == 0 else SIZE[::-1])
        assert_truth_holds(pair, turns)

    def test_the_image_folder_can_be_specified(self, listing: Path) -> None:
        (listing.parent / "test_images").rename(listing.parent / "elsewhere")
        listing.write_text(superglue_line("a.jpg", "b.jpg"))
        assert "a.jpg not found" in read_dataset("superglue-pairs", listing).problems[0]
        assert len(read_dataset("superglue-pairs", f"{listing}#elsewhere")) == 1

    def test_problems_have_line_numbers(self, listing: Path) -> None:
        good = superglue_line("a.jpg", "b.jpg")
        lines = [
            "a.jpg b.jpg",
            "a.jpg b.jpg 0 1",
            good.rpartition(" ")[0],
            good.replace(" 0 0 ", " 0 4 ", 1),
            good.replace("70.0", "seventy", 1),
            good.replace("a.jpg", "c.jpg", 1),
            good.replace("31.0", "310.0", 1),
            f"a.jpg b.jpg 0 0 {words(K0, K1, 2 * POSE4)}",
            f"a.jpg b.jpg 0 0 {words(K0, K1, np.vstack([1.1 * POSE, [0, 0, 0, 1]]))}",
            good,
        ]
        listing.write_text("\n".join(lines))
        dataset = read_dataset("superglue-pairs", listing)
        texts = [
            "no ground truth",
            "no ground truth",
            "got 37",
            "got '4'",
            "K0 must be 9 numbers",
            "c.jpg not found",
            "(310.0, 24.0)",
            "last row of a pose",
            "no valid rotation",
        ]
        assert len(dataset) == 1
        assert len(dataset.problems) == len(texts)
        for number, (problem, text) in enumerate(zip(dataset.problems, texts, strict=True), start=1):
            assert problem.startswith(f"{listing}:{number}: ")
            assert text in problem

    def test_intrinsics_of_half_the_size_are_reported(self, listing: Path) -> None:
        half = np.diag([0.5, 0.5, 1]) @ K0
        listing.write_text(f"a.jpg b.jpg 0 0 {words(half, K1, POSE4)}")
        assert "another image size" in read_dataset("superglue-pairs", listing).problems[0]


class TestGlueFactoryLists:
    @pytest.mark.parametrize("name", ["megadepth1500", "scannet1500"])
    @pytest.mark.parametrize("subfolder", ["images", "."])
    def test_poses_of_sixteen_and_of_twelve_numbers(self, tmp_path: Path, name: str, subfolder: str) -> None:
        for image in ("a", "b", "c"):
            write_image(tmp_path / subfolder / "0022" / f"{image}.jpg")
        lines = [
            f"0022/a.jpg 0022/b.jpg {words(K0, K1, POSE4)}",
            f"0022/a.jpg 0022/c.jpg {words(K0, K1, POSE[:, :3], POSE[:, 3])}",
            "0022/b.jpg 0022/c.jpg 1 2 3",
        ]
        (tmp_path / "pairs_calibrated.txt").write_text("\n".join(lines))
        dataset = read_dataset(name, tmp_path)
        assert dataset.name == name
        assert [pair.name for pair in dataset.pairs] == ["0022/a-b", "0022/a-c"]
        assert [pair.scene for pair in dataset.pairs] == ["0022", "0022"]
        for pair in dataset.pairs:
            assert_truth_holds(pair)
        assert dataset.problems[0].startswith(f"{tmp_path / 'pairs_calibrated.txt'}:3: ")
