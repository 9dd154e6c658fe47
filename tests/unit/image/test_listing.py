"""The images of a folder: by suffix, in natural sort order."""

from pathlib import Path

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.image.listing import find_images, natural_order


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(folder: Path, **options: bool) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_images(folder, **options)]


def test_endings_decide_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "b.JPEG", "notes.txt", ".hidden.png", ".cache/c.png", "d.tiff.part", "e")
    assert names(tmp_path) == ["a.jpg", "b.JPEG"]


def test_order_is_that_of_numbers(tmp_path: Path) -> None:
    fill(tmp_path, "10.jpg", "9.jpg", "9a.jpg", "img2.png", "img010.png", "img10.png")
    assert names(tmp_path) == ["9.jpg", "9a.jpg", "10.jpg", "img2.png", "img010.png", "img10.png"]


def test_sub_folders_are_looked_into_unless_told_otherwise(tmp_path: Path) -> None:
    fill(tmp_path, "z.jpg", "a b/é 1.jpg", "a b/c/d.png")
    assert names(tmp_path) == ["a b/c/d.png", "a b/é 1.jpg", "z.jpg"]
    assert names(tmp_path, recursive=False) == ["z.jpg"]


def test_paths_begin_with_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "photos/a.jpg")
    monkeypatch.chdir(tmp_path)
    assert find_images("photos") == [Path("photos/a.jpg")]


def test_no_folder_is_an_error_and_an_empty_one_isnt(tmp_path: Path) -> None:
    assert find_images(tmp_path) == []
    fill(tmp_path, "a.jpg")
    for path in (tmp_path / "missing", tmp_path / "a.jpg"):
        with pytest.raises(InvalidInput, match="not a folder"):
            find_images(path)


def test_order_is_total() -> None:
    assert natural_order("a01") != natural_order("a1")
    assert sorted(["a1b", "a1", "a", "A"], key=natural_order) == ["A", "a", "a1", "a1b"]
