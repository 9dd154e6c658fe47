"""The images of a folder: by suffix, in natural sort order."""

from pathlib import Path

import PIL.Image
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.image.listing import SUFFIXES, find_images, natural_order
from tiepoint.image.opening import FORMATS


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


def test_every_suffix_of_a_supported_format_is_listed() -> None:
    formats = {*FORMATS, "MPO"}
    known = {suffix for suffix, name in PIL.Image.registered_extensions().items() if name in formats}
    assert known - SUFFIXES <= {".pfm"}  # disparity and depth maps
    assert SUFFIXES - known <= {".avif", ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif"}


@pytest.mark.parametrize("suffix", [".jfif", ".JPE", ".mpo", ".j2k", ".pbm", ".pnm", ".dib", ".apng"])
def test_unusual_suffixes(tmp_path: Path, suffix: str) -> None:
    fill(tmp_path, f"a{suffix}")
    assert names(tmp_path) == [f"a{suffix}"]


class TestSymbolicLinks:
    def test_linked_folders_are_followed(self, tmp_path: Path) -> None:
        fill(tmp_path, "disk/album/a.jpg", "photos/own/b.jpg", "disk/c.jpg")
        (tmp_path / "photos/album").symlink_to("../disk/album")
        (tmp_path / "photos/c.jpg").symlink_to("../disk/c.jpg")
        assert names(tmp_path / "photos") == ["album/a.jpg", "c.jpg", "own/b.jpg"]
        assert names(tmp_path / "photos", recursive=False) == ["c.jpg"]

    def test_a_folder_is_listed_once_by_its_real_name(self, tmp_path: Path) -> None:
        fill(tmp_path, "z/a.jpg", "b.jpg")
        for link, target in (("a", "z"), ("loop", "."), ("again", "z"), ("z/up", "..")):
            (tmp_path / link).symlink_to(target)
        assert names(tmp_path) == ["b.jpg", "z/a.jpg"]

    def test_links_within_linked_folders(self, tmp_path: Path) -> None:
        fill(tmp_path, "one/a.jpg", "two/b.jpg")
        (tmp_path / "one/next").symlink_to("../two")
        (tmp_path / "two/next").symlink_to("../one")
        (tmp_path / "top").mkdir()
        (tmp_path / "top/first").symlink_to("../one")
        assert names(tmp_path / "top") == ["first/a.jpg", "first/next/b.jpg"]

    def test_a_linked_root(self, tmp_path: Path) -> None:
        fill(tmp_path, "real/a.jpg")
        (tmp_path / "link").symlink_to("real")
        assert names(tmp_path / "link") == ["a.jpg"]

    def test_broken_links_of_images_are_listed_and_of_folders_are_not(self, tmp_path: Path) -> None:
        (tmp_path / "a.jpg").symlink_to("missing.jpg")
        (tmp_path / "album").symlink_to("missing")
        assert names(tmp_path) == ["a.jpg"]
