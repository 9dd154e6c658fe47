"""What is written is read back: bands, type, opacity, missing data, GeoTIFF tags; formats that cannot hold it are refused."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from tiepoint.errors import InvalidInput
from tiepoint.image.georeferencing import GeoTags
from tiepoint.image.rasters import read_raster
from tiepoint.image.resampling import Resampler, WarpedTile
from tiepoint.registration.raster_files import Layout, check_layout, write_mask, write_raster

GEO = GeoTags(
    ((33550, 12, 3, (0.5, 0.5, 0.0), True), (33922, 12, 6, (0.0, 0.0, 0.0, 100.0, 200.0, 0.0), True))
)


def shifted(pixels: np.ndarray) -> Resampler:
    """The first ten columns are outside."""
    return Resampler(pixels, np.array([[1.0, 0, 10], [0, 1, 0], [0, 0, 1]]))


def write(path: Path, pixels: np.ndarray, **options: object) -> Layout:
    layout = Layout(size=(700, 530), dtype=pixels.dtype, bands=pixels.shape[2], **options)  # type: ignore[arg-type]

    def tiles(side: int) -> Iterator[WarpedTile]:
        return shifted(pixels).tiles(layout.size, side)

    write_raster(path, tiles, layout)
    return layout


def random_pixels(dtype: type, bands: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 100, (530, 700, bands)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("bands", "has_alpha"), [(1, False), (1, True), (3, False), (3, True), (6, False), (6, True)]
)
def test_tiff(tmp_path: Path, dtype: type, bands: int, has_alpha: bool):
    pixels = random_pixels(dtype, bands)
    nodata = None if has_alpha else float("nan") if np.dtype(dtype).kind == "f" else 0.0
    write(tmp_path / "a.tif", pixels, has_alpha=has_alpha, nodata=nodata, geo=GEO)
    raster = read_raster(tmp_path / "a.tif")
    assert raster.has_alpha == has_alpha
    assert raster.pixels.dtype == dtype
    assert np.array_equal(raster.bands[:, 10:], pixels[:, :-10])
    assert raster.geo.tags == GEO.tags
    outside = raster.bands[:, :10]
    assert np.isnan(outside).all() if nodata != nodata else not outside.any()
    valid = raster.validity()
    if has_alpha:
        assert np.array_equal(valid, np.arange(700)[None].repeat(530, 0) >= 10)


@pytest.mark.parametrize(
    ("name", "dtype", "bands", "has_alpha"),
    [
        ("a.png", np.uint8, 1, True),
        ("a.png", np.uint8, 3, True),
        ("a.png", np.uint16, 3, True),
        ("a.png", np.uint16, 1, False),
        ("a.webp", np.uint8, 3, True),
    ],
)
def test_lossless_files(tmp_path: Path, name: str, dtype: type, bands: int, has_alpha: bool):
    pixels = random_pixels(dtype, bands)
    write(tmp_path / name, pixels, has_alpha=has_alpha)
    raster = read_raster(tmp_path / name)
    assert raster.pixels.dtype == dtype
    assert np.array_equal(raster.bands[:, 10:], pixels[:, :-10])
    assert raster.has_alpha == has_alpha


def test_jpeg_is_black_outside(tmp_path: Path):
    pixels = np.full((530, 700, 3), 200, dtype=np.uint8)
    write(tmp_path / "a.jpg", pixels, has_alpha=False)
    found = np.asarray(PIL.Image.open(tmp_path / "a.jpg")).astype(int)
    assert found[:, :8].max() < 30
    assert np.abs(found[:, 20:] - 200).max() < 10


@pytest.mark.parametrize(
    ("name", "dtype", "bands", "has_alpha"),
    [
        ("a.jpg", np.uint16, 3, False),
        ("a.jpg", np.uint8, 3, True),
        ("a.png", np.float32, 1, False),
        ("a.png", np.uint8, 5, False),
        ("a.webp", np.uint16, 3, False),
        ("a.png", np.int16, 1, False),
    ],
)
def test_formats_that_cannot_hold_it(name: str, dtype: type, bands: int, has_alpha: bool):
    layout = Layout(size=(9, 9), dtype=np.dtype(dtype), bands=bands, has_alpha=has_alpha)
    with pytest.raises(InvalidInput, match=f"cannot write {name}.*use a name ending in .tif"):
        check_layout(Path(name), layout)


def test_unknown_formats_list_the_known_ones():
    with pytest.raises(InvalidInput, match=r"expected a name ending in \.tif, \.tiff, \.png"):
        check_layout(Path("a.bmp"), Layout(size=(9, 9), dtype=np.dtype(np.uint8), bands=1, has_alpha=False))


def test_an_interrupted_write_leaves_nothing(tmp_path: Path):
    layout = Layout(size=(700, 530), dtype=np.dtype(np.uint8), bands=1, has_alpha=False)

    def tiles(side: int) -> Iterator[WarpedTile]:
        yield from list(shifted(random_pixels(np.uint8, 1)).tiles(layout.size, side))[:2]
        raise OSError(28, "No space left on device")

    with pytest.raises((OSError, InvalidInput), match="No space left"):
        write_raster(tmp_path / "a.tif", tiles, layout)
    assert list(tmp_path.iterdir()) == []


def test_masks(tmp_path: Path):
    is_inside = np.arange(20).reshape(4, 5) > 7
    write_mask(tmp_path / "m.png", is_inside)
    assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / "m.png")), is_inside * np.uint8(255))
    with pytest.raises(InvalidInput, match=r"expected a name ending in \.png, \.tif"):
        write_mask(tmp_path / "m.mask", is_inside)


def test_large_files_are_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tiepoint.registration.raster_files.BIG_TIFF_BYTES", 1000)
    write(tmp_path / "a.tif", random_pixels(np.uint8, 1), has_alpha=False)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff
