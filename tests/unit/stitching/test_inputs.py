"""Images are read when they are needed."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.helpers.colored_dots import make_matcher

from tiepoint.errors import InvalidInput
from tiepoint.image import read_image
from tiepoint.stitching.inputs import PixelReader, input_name, open_input


def test_the_last_images_stay_in_memory(tmp_path: Path) -> None:
    paths = [tmp_path / f"{value}.png" for value in range(3)]
    for value, path in enumerate(paths):
        PIL.Image.new("L", (8, 6), value).save(path)
    read = PixelReader(paths, max_bytes=2 * 8 * 6 * 3)
    for index in (0, 1, 2, 2):
        np.testing.assert_array_equal(read(index), np.full((6, 8, 3), index))
    paths[0].unlink()
    paths[2].unlink()
    assert read(2)[0, 0, 0] == 2
    assert read(1)[0, 0, 0] == 1


def test_names() -> None:
    assert input_name("a.jpg", 3) == "a.jpg"
    assert input_name(Path("b.jpg"), 3) == "b.jpg"
    assert input_name(np.zeros((4, 4)), 3) == "image 3"
    assert input_name(read_image(np.zeros((4, 4))), 3) == "image 3"


def test_sides_that_opencv_cannot_resample_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"image 2 has a side of 33,000 px, more than the 32,766 px"):
        open_input(make_matcher(None), np.zeros((2, 33_000, 3), dtype=np.uint8), 2)
