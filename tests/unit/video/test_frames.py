"""read_frames: folders, lists and videos, one frame at a time; unreadable frames keep their index."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.video import read_frames
from tiepoint.video.frames import sequence_length, sequence_rate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Frames 2, 3 (broken) and 10, and a text file."""
    for number in (2, 10):
        PIL.Image.new("L", (8, 6), number).save(tmp_path / f"frame{number}.png")
    (tmp_path / "frame3.png").write_bytes(b"no image")
    (tmp_path / "notes.txt").write_text("notes")
    return tmp_path


def test_a_folder_is_read_in_natural_sort_order_and_unreadable_frames_keep_their_index(folder: Path):
    first, broken, last = read_frames(folder)
    assert isinstance(first, Image)
    assert isinstance(last, Image)
    assert (int(first.pixels[0, 0, 0]), int(last.pixels[0, 0, 0])) == (2, 10)
    assert isinstance(broken, InvalidInput)
    assert "frame3.png" in str(broken)
    assert sequence_length(folder) == 3


def test_all_image_types_are_accepted_as_frames():
    gray = np.zeros((2, 6, 8), np.uint8)
    assert [image.image_size for image in read_frames([gray[0], Image(pixels=frame(1))])] == [(8, 6), (8, 6)]
    stack = np.zeros((4, 6, 8, 3), np.uint8)
    assert len(list(read_frames(stack))) == 4
    assert sequence_length(stack) == 4
    assert sequence_length(iter([])) is None
    assert sequence_rate(stack) is None


def frame(value: int):
    return read(PIL.Image.new("RGB", (8, 6), (value, value, value))).pixels


def read(image: PIL.Image.Image) -> Image:
    (one,) = read_frames([image])
    assert isinstance(one, Image)
    return one


def test_frames_are_read_lazily(folder: Path):
    asked = []

    def paths():
        for path in sorted(folder.glob("*.png")):
            asked.append(path)
            yield path

    frames = read_frames(paths())
    assert asked == []
    next(frames)
    assert len(asked) == 1


def test_a_single_image_is_refused():
    with pytest.raises(InvalidInput, match="got one image"):
        read_frames(np.zeros((6, 8, 3), np.uint8))


def test_one_image_file_is_one_frame(folder: Path):
    assert len(list(read_frames(folder / "frame2.png"))) == 1


def test_a_missing_video_is_named(tmp_path: Path):
    with pytest.raises(InvalidInput, match=r"clip\.mp4 does not exist"):
        read_frames(tmp_path / "clip.mp4")
