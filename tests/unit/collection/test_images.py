"""Image records: names, keys, headers, unusable files."""

import json
import os
from pathlib import Path

import PIL.Image
import pytest

from tiepoint.collection.images import (
    ImageRecord,
    group_by_content,
    image_from_dict,
    image_to_dict,
    name_from_key,
    scan_images,
)
from tiepoint.errors import InvalidInput
from tiepoint.image import read_image

ORIENTATION, GPS = 0x0112, 0x8825
LUND = {6: 80.5, 1: "N", 2: (55.0, 42.0, 19.8), 3: "E", 4: (13.0, 11.0, 33.0)}


def photo(
    path: Path, shade: int = 0, size: tuple[int, int] = (8, 6), orientation: int = 1, **gps: object
) -> Path:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    exif.get_ifd(GPS).update(LUND if gps else {})
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("L", size, shade).save(path, exif=exif)
    return path


def names(images: tuple[ImageRecord, ...]) -> list[str]:
    return [image.name for image in images]


def test_names_are_relative_and_in_natural_sort_order(tmp_path: Path):
    wanted = ["2.png", "10.png", "a b/ö – 1.png", "a-b.png", "a/b.png"]
    for shade, name in enumerate(wanted):
        photo(tmp_path / name, shade)
    images, problems = scan_images(tmp_path)
    assert names(images) == wanted
    assert problems == ()
    assert [image.path for image in images] == [tmp_path / name for name in wanted]
    assert len({image.key for image in images}) == len(wanted)


def test_folder_as_string(tmp_path: Path):
    photo(tmp_path / "sub" / "a.png")
    images, _ = scan_images(f"{tmp_path}/")
    assert names(images) == ["sub/a.png"]


@pytest.mark.parametrize("raw", [b"caf\xe9.jpg", b"d\xe9j\xe0/vu.jpg"], ids=["file", "folder"])
def test_names_that_are_not_utf8_are_problems(tmp_path: Path, raw: bytes):
    name = os.fsdecode(raw)
    photo(tmp_path / "a.jpg")
    try:
        photo(tmp_path / name)
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    images, (problem,) = scan_images(tmp_path)
    assert names(images) == ["a.jpg"]
    assert problem.startswith(f"{name!r}: ")
    assert problem.endswith("; rename the file")
    assert problem.isascii()  # any terminal, any file


def test_changed_content_changes_the_key(tmp_path: Path):
    photo(tmp_path / "a.png", shade=1)
    ((before,), _) = scan_images(tmp_path)
    photo(tmp_path / "a.png", shade=2)
    ((after,), _) = scan_images(tmp_path)
    assert before.name == after.name == name_from_key(after.key) == "a.png"
    assert before.key != after.key


def test_name_that_contains_the_key_separator(tmp_path: Path):
    photo(tmp_path / "me@home.png")
    ((image,), _) = scan_images(tmp_path)
    assert name_from_key(image.key) == "me@home.png"


def test_damaged_files_are_problems(tmp_path: Path):
    for index in range(5):
        photo(tmp_path / f"{index}.jpg", shade=index)
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "page.jpg").write_text("<html></html>")
    images, problems = scan_images(tmp_path)
    assert names(images) == [f"{index}.jpg" for index in range(5)]
    assert [line.count("\n") for line in problems] == [0, 0, 0]
    assert ["empty.jpg" in problems[0], "page.jpg" in problems[1], "text.png" in problems[2]] == [True] * 3


def test_dangling_link_is_a_problem(tmp_path: Path):
    (tmp_path / "lost.jpg").symlink_to(tmp_path / "gone.jpg")
    images, (problem,) = scan_images(tmp_path)
    assert images == ()
    assert "lost.jpg" in problem
    assert "No such file" in problem


@pytest.mark.parametrize("end", ["\n", "\r"])
def test_a_name_with_a_line_break_is_refused(tmp_path: Path, end: str):
    photo(tmp_path / "a.png")
    photo(tmp_path / f"b{end}c.png")
    images, (problem,) = scan_images(tmp_path)
    assert names(images) == ["a.png"]
    assert problem.startswith(repr(f"b{end}c.png"))
    assert problem.endswith("; rename the file")
    assert len(problem.splitlines()) == 1


def test_no_images(tmp_path: Path):
    assert scan_images(tmp_path) == ((), ())


def test_no_folder(tmp_path: Path):
    with pytest.raises(InvalidInput, match="folder"):
        scan_images(tmp_path / "missing")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_sizes_are_those_of_the_upright_image(tmp_path: Path, orientation: int, suffix: str):
    path = photo(tmp_path / f"a.{suffix}", orientation=orientation)
    ((image,), _) = scan_images(tmp_path)
    image = read_image(path)
    assert image.image_size == image.image_size
    assert image.exif_orientation == image.exif_orientation == orientation


def test_invalid_orientation(tmp_path: Path):
    photo(tmp_path / "a.jpg", orientation=77)
    ((image,), _) = scan_images(tmp_path)
    assert image.exif_orientation == 1


def test_gps_position(tmp_path: Path):
    photo(tmp_path / "here.jpg", gps=True)
    photo(tmp_path / "nowhere.jpg")
    (here, nowhere), _ = scan_images(tmp_path)
    assert here.position[:2] == pytest.approx((55.7055, 13.1925))
    assert here.position.altitude_m == 80.5
    assert nowhere.position is None


def test_unchanged_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    photo(tmp_path / "a.png", shade=1)
    photo(tmp_path / "b.png", shade=2)
    first, _ = scan_images(tmp_path)
    photo(tmp_path / "b.png", shade=3)
    read: list[Path] = []
    monkeypatch.setattr("tiepoint.collection.images.read_position", read.append)
    second, _ = scan_images(tmp_path, previous=first)
    assert read == [tmp_path / "b.png"]
    assert second[0] is first[0]
    assert second[1].digest != first[1].digest


def test_moved_folder_keeps_its_keys(tmp_path: Path):
    photo(tmp_path / "here" / "a.png")
    before, _ = scan_images(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    after, _ = scan_images(tmp_path / "there", previous=before)
    assert after[0].path == tmp_path / "there" / "a.png"
    assert after[0].key == before[0].key


def test_round_trip_through_json(tmp_path: Path):
    photo(tmp_path / "a" / "here.jpg", gps=True)
    photo(tmp_path / "b.png")
    images, _ = scan_images(tmp_path)
    records = json.loads(json.dumps([image_to_dict(image) for image in images]))
    assert tuple(image_from_dict(record, tmp_path) for record in records) == images
    assert image_from_dict(records[1], "moved").path == Path("moved/b.png")


def test_duplicates_are_both_kept(tmp_path: Path):
    for name, shade in (("a.png", 1), ("b.png", 2), ("copy/a.png", 1)):
        photo(tmp_path / name, shade)
    images, _ = scan_images(tmp_path)
    assert names(images) == ["a.png", "b.png", "copy/a.png"]
    assert [names(group) for group in group_by_content(images)] == [["a.png", "copy/a.png"], ["b.png"]]
