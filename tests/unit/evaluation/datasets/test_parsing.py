"""Texts become numbers, paths and names."""

from pathlib import Path
from typing import Any

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.parsing import (
    find_file,
    find_image,
    pair_name,
    parse_numbers,
    read_lines,
    read_matrix,
    read_text,
    scene_name,
    split_subset,
)


def test_a_subset_follows_the_last_hash(tmp_path: Path) -> None:
    assert split_subset(f"{tmp_path}#a") == (tmp_path, "a")
    assert split_subset(tmp_path) == (tmp_path, "")
    (tmp_path / "a#b").mkdir()
    assert split_subset(tmp_path / "a#b") == (tmp_path / "a#b", "")
    assert split_subset(f"{tmp_path}/a#b#c") == (tmp_path / "a#b", "c")


def test_lines_are_numbered_without_blanks_and_comments(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("# comment\n\n one \n  # two\nthree")
    assert list(read_lines(tmp_path / "a.txt")) == [(3, "one"), (5, "three")]


def test_binary_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match=r"a\.txt"):
        read_text(tmp_path / "a.txt")


@pytest.mark.parametrize("words", ["1 2.5 -3e1", ["1", "2.5", "-30"], [1, 2.5, -30.0]])
def test_numbers(words: Any) -> None:
    assert parse_numbers(words, 3, "values").tolist() == [1, 2.5, -30]


@pytest.mark.parametrize("words", ["1 2", "1 2 3 4", "1 2 x", "1 2 nan", "1 2 inf", 3, None, [1, 2, None]])
def test_invalid_numbers_are_named(words: Any) -> None:
    with pytest.raises(InvalidInput, match="the pose must be 3") as caught:
        parse_numbers(words, 3, "the pose")
    assert len(str(caught.value)) < 120


def test_long_values_are_shortened() -> None:
    with pytest.raises(InvalidInput, match=r"\.\.\.") as caught:
        parse_numbers("1 " * 500, 3, "K")
    assert len(str(caught.value)) < 120


def test_a_matrix(tmp_path: Path) -> None:
    (tmp_path / "H").write_text("1 2\n3 4\n5 6")
    assert read_matrix(tmp_path / "H", 3, 2).tolist() == [[1, 2], [3, 4], [5, 6]]
    with pytest.raises(InvalidInput, match="H must be 4"):
        read_matrix(tmp_path / "H", 2, 2)


def test_images_are_found_with_any_suffix(tmp_path: Path) -> None:
    (tmp_path / "1.webp").touch()
    assert find_image(tmp_path, "1") == tmp_path / "1.webp"
    assert find_image(tmp_path, "2") == tmp_path / "2.ppm"


def test_the_first_folder_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.jpg").touch()
    folders = [tmp_path / "a", tmp_path / "b"]
    assert find_file(folders, "x.jpg") == tmp_path / "b" / "x.jpg"
    assert find_file(folders, "y.jpg") == tmp_path / "a" / "y.jpg"


@pytest.mark.parametrize(
    ("name", "scene"),
    [
        ("scans_test/scene0707_00/color/15.jpg", "scene0707_00"),
        ("Undistorted_SfM/0022/images/a.jpg", "0022"),
        ("a.jpg", "default"),
    ],
)
def test_scene_names(name: str, scene: str) -> None:
    assert scene_name(name, "default") == scene


def test_pair_names_do_not_repeat_the_scene() -> None:
    assert pair_name("s", Path("x/s_a.jpg"), Path("b.png")) == "s/a-b"
