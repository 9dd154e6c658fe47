"""HPatches, Oxford affine and custom lists in their exact layouts."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets import read_dataset
from tiepoint.evaluation.ground_truth import HomographyGroundTruth

SHIFT = np.array([[1.0, 0, 7], [0, 1, -3], [0, 0, 1]])


def write_image(path: Path, size: tuple[int, int] = (64, 48)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def write_sequence(scene: Path, image_name: str, matrix_name: str) -> None:
    """Write images 1 to 6 and homographies from image 1 to each of the others; the one to k shifts by k px."""
    for index in range(1, 7):
        write_image(scene / image_name.format(index))
    for index in range(2, 7):
        rows = [f"1.0 0 {index} ", f" 0  1 {-index}.0", "0 0 1", ""]  # spaces as the release has them
        (scene / matrix_name.format(index)).write_text("\n".join(rows))


@pytest.fixture
def hpatches(tmp_path: Path) -> Path:
    for name in ("i_ajuntament", "v_wall", "v_talent"):
        write_sequence(tmp_path / name, "{}.ppm", "H_1_{}")
    (tmp_path / "README").write_text("not a sequence")
    return tmp_path


@pytest.fixture
def oxford(tmp_path: Path) -> Path:
    write_sequence(tmp_path / "graf", "img{}.ppm", "H1to{}p")
    write_sequence(tmp_path / "bark", "img{}.ppm", "H1to{}p")
    return tmp_path


class TestHPatches:
    def test_five_pairs_per_sequence_without_the_large_sequences(self, hpatches: Path) -> None:
        dataset = read_dataset("hpatches", hpatches)
        assert dataset.problems == ()
        assert len(dataset) == 10
        pair = dataset.pairs[7]
        assert pair.name == "v_wall/1-4"
        assert pair.scene == "v_wall"
        assert pair.image0 == hpatches / "v_wall" / "1.ppm"
        assert pair.image1 == hpatches / "v_wall" / "4.ppm"
        assert pair.tags == {"change": "viewpoint", "index": 4}
        assert pair.truth.homography.tolist() == [[1, 0, 4], [0, 1, -4], [0, 0, 1]]

    @pytest.mark.parametrize(("part", "count"), [("i", 5), ("v", 5), ("all", 15)])
    def test_subsets(self, hpatches: Path, part: str, count: int) -> None:
        dataset = read_dataset("hpatches", f"{hpatches}#{part}")
        assert len(dataset) == count
        assert dataset.name == f"hpatches#{part}"

    def test_an_unknown_subset(self, hpatches: Path) -> None:
        with pytest.raises(InvalidInput, match="#i, #v, #all"):
            read_dataset("hpatches", f"{hpatches}#x")

    def test_invalid_files_are_reported_and_the_rest_is_read(self, hpatches: Path) -> None:
        scene = hpatches / "v_wall"
        (scene / "3.ppm").unlink()
        (scene / "H_1_4").unlink()
        (scene / "H_1_5").write_text("1 0 0\n0 1 zero\n0 0 1\n")
        (scene / "6.ppm").write_text("no image")
        dataset = read_dataset("hpatches", f"{hpatches}#v")
        assert [pair.name for pair in dataset.pairs] == ["v_wall/1-2"]
        expected = ["3.ppm not found", "No such file", "must be 9 numbers", "not in a supported"]
        assert len(dataset.problems) == len(expected)
        for problem, text in zip(dataset.problems, expected, strict=True):
            assert text in problem
            assert str(scene) in problem
            assert "\n" not in problem


class TestOxfordAffine:
    def test_scenes(self, oxford: Path) -> None:
        dataset = read_dataset("oxford-affine", oxford)
        assert dataset.problems == ()
        assert [pair.name for pair in dataset.pairs][:2] == ["bark/img1-img2", "bark/img1-img3"]
        assert len(dataset) == 10

    def test_one_scene(self, oxford: Path) -> None:
        dataset = read_dataset("oxford-affine", oxford / "graf")
        assert {pair.scene for pair in dataset.pairs} == {"graf"}
        assert [pair.tags["index"] for pair in dataset.pairs] == [2, 3, 4, 5, 6]

    def test_a_matrix_that_cannot_be_inverted(self, oxford: Path) -> None:
        (oxford / "graf" / "H1to2p").write_text("1 0 0 0 1 0 1 1 0")
        dataset = read_dataset("oxford-affine", oxford / "graf")
        assert len(dataset) == 4
        assert "singular" in dataset.problems[0]


class TestHomographyFolder:
    def test_a_list(self, tmp_path: Path) -> None:
        for name in ("a.jpg", "b.jpg", "wall/1.png", "wall/2.png"):
            write_image(tmp_path / name)
        numbers = " ".join(str(value) for value in SHIFT.ravel())
        lines = ["# my pairs", f"a.jpg b.jpg {numbers}", "", f"wall/1.png wall/2.png {numbers}"]
        (tmp_path / "pairs.txt").write_text("\n".join(lines))
        for path in (tmp_path, tmp_path / "pairs.txt"):
            dataset = read_dataset("homography-folder", path)
            assert dataset.problems == ()
            assert [pair.name for pair in dataset.pairs] == [f"{tmp_path.name}/a-b", "wall/1-2"]
            assert dataset.pairs[0].truth.homography.tolist() == SHIFT.tolist()

    def test_problems_have_line_numbers(self, tmp_path: Path) -> None:
        write_image(tmp_path / "a.jpg")
        write_image(tmp_path / "b.jpg")
        identity = "1 0 0 0 1 0 0 0 1"
        lines = [
            "# 1",
            "a.jpg b.jpg 1 0 0 0 1 0 0 0",
            f"a.jpg c.jpg {identity}",
            f"a.jpg b.jpg {identity}",
            f"a.jpg b.jpg {identity}",
            "a.jpg b.jpg 1 0 0 0 1 0 0 0 nan",
            "a.jpg",
        ]
        listing = tmp_path / "pairs.txt"
        listing.write_text("\n".join(lines))
        dataset = read_dataset("homography-folder", listing)
        assert len(dataset) == 1
        starts = [f"{listing}:{number}: " for number in (2, 3, 5, 6, 7)]
        assert [
            problem[: len(start)] for problem, start in zip(dataset.problems, starts, strict=True)
        ] == starts
        assert "got 8" in dataset.problems[0]
        assert "c.jpg not found" in dataset.problems[1]
        assert "duplicate" in dataset.problems[2]
        assert "finite" in dataset.problems[3]

    def test_a_binary_list(self, tmp_path: Path) -> None:
        (tmp_path / "pairs.txt").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(InvalidInput, match="UTF-8"):
            read_dataset("homography-folder", tmp_path)


def test_a_home_directory_is_found(hpatches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(hpatches.parent))
    assert len(read_dataset("hpatches", f"~/{hpatches.name}")) == 10
    assert isinstance(read_dataset("hpatches", hpatches).pairs[0].truth, HomographyGroundTruth)
