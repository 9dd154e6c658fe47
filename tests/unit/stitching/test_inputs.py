"""Images are read when they are needed."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.colored_dots import dots, make_matcher

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


class TestTransparency:
    """Pixels count as visible where a cubic interpolation needs no transparent ones."""

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "array", "tensor"])
    def test_a_transparent_part_is_not_visible(self, mode: str, tmp_path: Path) -> None:
        pixels = np.full((20, 30, 4), 90, dtype=np.uint8)
        pixels[..., 3] = 255
        pixels[:, :10, 3] = 0
        source: Any = tmp_path / "a.png"
        if mode == "P":
            image = PIL.Image.fromarray(np.where(pixels[..., 3] == 0, 5, 9).astype(np.uint8), "L").convert(
                "P"
            )
            image.save(source, transparency=5)
        elif mode in ("RGBA", "LA"):
            PIL.Image.fromarray(pixels).convert(mode).save(source)
        else:
            source = pixels if mode == "array" else torch.from_numpy(pixels).permute(2, 0, 1)
        found = PixelReader([source])(0)
        assert found.shape == (20, 30, 4)
        assert not found[:, :12, 3].any()
        assert (found[:, 12:, 3] == 255).all()
        half = PixelReader([source], factors={0: 0.5})(0)
        assert half.shape == (10, 15, 4)
        assert not half[:, :7, 3].any()
        assert (half[:, 7:, 3] == 255).all()

    def test_opaque_images_have_three_channels(self) -> None:
        opaque = np.full((20, 30, 4), 255, dtype=np.uint8)
        assert PixelReader([opaque])(0).shape == (20, 30, 3)
        assert PixelReader([read_image(opaque)])(0).shape == (20, 30, 3)

    def test_keypoints_are_in_the_visible_part(self) -> None:
        image = np.dstack([dots(), np.full(dots().shape[:2], 255, dtype=np.uint8)])
        image[:, :150, 3] = 0
        found = open_input(make_matcher(None), image, 0)
        assert len(found.features.keypoints) > 10
        assert found.features.keypoints[:, 0].min() >= 150
        assert found.thumbnail.shape[2] == 4

    def test_fully_transparent_images_are_refused(self) -> None:
        with pytest.raises(InvalidInput, match="image 4 is fully transparent"):
            open_input(make_matcher(None), np.zeros((20, 30, 4), dtype=np.uint8), 4)
