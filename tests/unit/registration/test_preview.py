"""Previews: bands, block means, and positions that map back exactly."""

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.image.rasters import Raster
from tiepoint.registration.preview import make_preview


def raster(shape: tuple[int, int, int], dtype: type = np.uint16, **options: object) -> Raster:
    pixels = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    return Raster(pixels=pixels, source="a.tif", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bands", "has_alpha", "expected"),
    [
        (1, False, [0]),
        (2, False, [0]),
        (2, True, [0]),
        (3, False, [0, 1, 2]),
        (4, True, [0, 1, 2]),
        (9, False, [0, 1, 2]),
    ],
)
def test_default_bands(bands: int, has_alpha: bool, expected: list[int]):
    image = raster((20, 30, bands), has_alpha=has_alpha)
    pixels = make_preview(image).pixels
    assert np.array_equal(pixels, image.pixels[..., expected].squeeze())


def test_chosen_bands():
    image = raster((20, 30, 5))
    assert np.array_equal(make_preview(image, [4, 3, 2]).pixels, image.pixels[..., [3, 2, 1]])
    assert np.array_equal(make_preview(image, [5]).pixels, image.pixels[..., 4])


@pytest.mark.parametrize(
    ("bands", "message"), [([0], "bands 1 to 5, got 0"), ([6], "got 6"), ([1, 2], "one or three numbers")]
)
def test_bands_that_do_not_exist(bands: list[int], message: str):
    with pytest.raises(InvalidInput, match=message):
        make_preview(raster((20, 30, 5)), bands)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_large_images_are_reduced_by_an_integer(dtype: type):
    image = raster((230, 305, 3), dtype)
    preview = make_preview(image, max_side=64)
    assert preview.factor == 5
    assert preview.pixels.shape == (46, 61, 3)
    block = image.pixels[5:10, 10:15].astype(float).mean(axis=(0, 1))
    assert preview.pixels[1, 2] == pytest.approx(np.rint(block) if dtype != np.float32 else block, rel=1e-6)
    assert preview.to_raster(np.array([[0.0, 0.0], [2, 1]])).tolist() == [[2, 2], [12, 7]]


def test_white_is_zero_is_inverted():
    image = raster((20, 30, 1), is_white_zero=True)
    assert np.array_equal(make_preview(image).pixels, image.pixels.max() - image.pixels[..., 0])


def test_narrow_images():
    assert make_preview(raster((3, 9000, 1))).pixels.shape[0] >= 1


@pytest.mark.parametrize("max_side", [400, 100])
@pytest.mark.parametrize("missing", [-9999.0, -3.4028234663852886e38, float("nan")])
def test_missing_data_does_not_use_up_the_contrast(missing: float, max_side: int):
    """Heights of 900 to 1300 m: whatever marks missing ones, the preview has that range."""
    heights = np.random.default_rng(0).uniform(900, 1300, (300, 400, 1)).astype(np.float32)
    heights[:50] = missing
    image = Raster(pixels=heights, source="dem.tif", nodata=None if missing != missing else missing)
    preview = make_preview(image, None, image.validity(), max_side)
    assert 890 < preview.pixels.min() <= preview.pixels.max() < 1310
    rows = -(-50 // preview.factor)
    assert preview.mask is not None
    assert not preview.mask[:rows].any()
    assert preview.mask[rows:].all()


def test_images_without_any_data():
    image = Raster(pixels=np.full((20, 30, 1), np.nan, np.float32), source="a.tif")
    preview = make_preview(image, None, image.validity())
    assert not preview.pixels.any()
