"""Opacity of files, arrays and PIL images; the pixels are those of read_array."""

import io

import numpy as np
import PIL.Image
import pytest

from tiepoint.image.array_reading import read_array
from tiepoint.image.opacity import opacity_of_array, opacity_of_pillow, read_array_and_opacity

EXPECTED = np.arange(6).reshape(2, 3) > 1


def image_of(mode: str) -> PIL.Image.Image:
    alpha = np.where(EXPECTED, 3, 0).astype(np.uint8)
    return PIL.Image.fromarray(np.dstack([np.full((2, 3, 3), 7, np.uint8), alpha])).convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGBa", "La"])
def test_alpha_channels(mode: str) -> None:
    image = image_of("LA").convert("La") if mode == "La" else image_of(mode)
    found = opacity_of_pillow(image)
    assert found is not None
    np.testing.assert_array_equal(found, EXPECTED)


@pytest.mark.parametrize(("mode", "value"), [("P", 1), ("L", 1), ("RGB", (1, 1, 1))])
def test_transparent_colors(mode: str, value: int | tuple[int, int, int]) -> None:
    values = np.where(EXPECTED, 2, 1).astype(np.uint8)
    image = PIL.Image.fromarray(values)
    if mode == "P":
        image.putpalette([0, 0, 0, 9, 9, 9, 20, 20, 20])
    image = image if mode == "P" else image.convert(mode)
    file = io.BytesIO()
    image.save(file, "PNG", transparency=value)
    array, found = read_array_and_opacity(file)
    assert found is not None
    np.testing.assert_array_equal(found, EXPECTED)
    np.testing.assert_array_equal(array.channels, read_array(file).channels)


def test_images_that_are_visible_everywhere_have_none() -> None:
    assert opacity_of_pillow(PIL.Image.new("RGB", (3, 2))) is None
    assert opacity_of_pillow(PIL.Image.new("RGBA", (3, 2), (1, 2, 3, 4))) is None
    assert opacity_of_array(np.zeros((2, 3, 3), np.uint8)) is None
    assert opacity_of_array(np.ones((2, 3, 4), np.uint8)) is None
    assert opacity_of_array(np.zeros((2, 4), np.uint8)) is None


def test_arrays() -> None:
    array = np.dstack([np.zeros((2, 3, 3)), EXPECTED])
    for given, axis in ((array, 2), (array[None], 2), (np.moveaxis(array, 2, 0), 0)):
        found = opacity_of_array(given, channel_axis=axis)
        assert found is not None
        np.testing.assert_array_equal(found, EXPECTED)
    assert read_array_and_opacity(array)[0].channels.shape == (3, 2, 3)
