"""Rasters keep size, depth, bands, opacity, missing data and orientation; unreadable files are named."""

import base64
import io
from pathlib import Path

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile

from tiepoint.errors import InvalidInput
from tiepoint.image.rasters import MEMORY_BYTES, ORIENT, read_raster

DTYPES = (np.uint8, np.uint16, np.int16, np.uint32, np.float32, np.float64)


def random_pixels(dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bands", [1, 3, 8])
def test_tiff_of_any_type(tmp_path: Path, dtype: type, bands: int, compression: str | None):
    pixels = random_pixels(dtype, (30, 40, bands))
    stored = pixels[..., 0] if bands == 1 else pixels
    tifffile.imwrite(
        tmp_path / "a.tif",
        stored,
        compression=compression,
        photometric="minisblack" if bands != 3 else "rgb",
        planarconfig=None if bands == 1 else "contig",
    )
    raster = read_raster(tmp_path / "a.tif")
    assert raster.pixels.dtype == dtype
    assert np.array_equal(raster.pixels, pixels)
    assert raster.image_size == (40, 30)
    assert not raster.has_alpha
    assert raster.validity() is None


def test_planes_are_moved_last(tmp_path: Path):
    pixels = random_pixels(np.uint16, (4, 30, 40))
    tifffile.imwrite(tmp_path / "a.tif", pixels, planarconfig="separate", photometric="minisblack")
    assert np.array_equal(read_raster(tmp_path / "a.tif").pixels, np.moveaxis(pixels, 0, 2))


@pytest.mark.parametrize("orientation", ORIENT)
def test_images_are_upright(tmp_path: Path, orientation: int):
    """As Pillow turns them, and as the matcher reads them."""
    pixels = random_pixels(np.uint8, (30, 40, 3))
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="rgb", extratags=[(274, 3, 1, orientation, True)]
    )
    image = PIL.Image.open(tmp_path / "a.tif")
    upright = np.asarray(PIL.ImageOps.exif_transpose(image))
    assert np.array_equal(read_raster(tmp_path / "a.tif").pixels, upright)


def test_opacity_and_missing_values(tmp_path: Path):
    pixels = random_pixels(np.uint16, (30, 40, 4)) + 1
    pixels[:10, :, 3] = 0
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    raster = read_raster(tmp_path / "a.tif")
    assert raster.has_alpha
    assert raster.bands.shape == (30, 40, 3)
    assert np.array_equal(raster.validity(), pixels[..., 3] > 0)
    gray = random_pixels(np.int16, (30, 40)) - 50
    tifffile.imwrite(tmp_path / "b.tif", gray, extratags=[(42113, 2, 4, "-50", True)])
    raster = read_raster(tmp_path / "b.tif")
    assert raster.nodata == -50
    assert np.array_equal(raster.validity(), gray != -50)


@pytest.mark.parametrize(
    ("mode", "bands", "has_alpha"),
    [
        ("L", 1, False),
        ("LA", 2, True),
        ("RGB", 3, False),
        ("RGBA", 4, True),
        ("CMYK", 3, False),
        ("P", 3, False),
        ("1", 1, False),
        ("I;16", 1, False),
    ],
)
def test_modes_of_pillow(tmp_path: Path, mode: str, bands: int, has_alpha: bool):
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image = PIL.Image.fromarray(random_pixels(np.uint8, (30, 40, 3)))
    (image.convert("L").convert("I").convert("I;16") if mode == "I;16" else image.convert(mode)).save(path)
    raster = read_raster(path)
    assert (raster.pixels.shape, raster.has_alpha) == ((30, 40, bands), has_alpha)
    assert raster.pixels.dtype == (np.uint16 if mode == "I;16" else np.uint8)


@pytest.mark.parametrize("bands", [3, 4])
def test_color_png_of_16_bits(tmp_path: Path, bands: int):
    pixels = np.random.default_rng(0).integers(0, 65536, (30, 40, bands), dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    raster = read_raster(tmp_path / "a.png")
    assert np.array_equal(raster.pixels, pixels)
    assert raster.has_alpha == (bands == 4)


def test_large_images_are_mapped_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pixels = random_pixels(np.uint16, (300, 400, 3))
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", compression="zlib")
    assert pixels.nbytes < MEMORY_BYTES
    monkeypatch.setattr("tiepoint.image.rasters.MEMORY_BYTES", 1000)
    raster = read_raster(tmp_path / "a.tif")
    assert isinstance(raster.pixels, np.memmap)
    assert np.array_equal(raster.pixels, pixels)


class TestUnreadable:
    @pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg"])
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"text",
            b"II*\0" + b"\0" * 40,
            b"\x89PNG\r\n\x1a\n",
            b"\x89PNG\r\n\x1a\n" + b"\0" * 16 + b"\x10\x02" + b"\0" * 20,
        ],
    )
    def test_damaged_files_are_named(self, tmp_path: Path, name: str, content: bytes):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidInput, match=name) as raised:
            read_raster(tmp_path / name)
        assert "\n" not in str(raised.value)

    def test_a_truncated_tiff(self, tmp_path: Path):
        tifffile.imwrite(tmp_path / "a.tif", random_pixels(np.uint8, (300, 400)), compression="zlib")
        data = (tmp_path / "a.tif").read_bytes()
        (tmp_path / "a.tif").write_bytes(data[: len(data) // 2])
        with pytest.raises(InvalidInput, match=r"cannot read .*a\.tif"):
            read_raster(tmp_path / "a.tif")

    def test_missing_files(self, tmp_path: Path):
        with pytest.raises(InvalidInput, match=r"cannot read .*none\.tif.*No such file"):
            read_raster(tmp_path / "none.tif")

    def test_stacks(self, tmp_path: Path):
        tifffile.imwrite(tmp_path / "a.tif", random_pixels(np.uint8, (5, 30, 40)), metadata={"axes": "ZYX"})
        with pytest.raises(InvalidInput, match=r"5 pages or planes.*extract one"):
            read_raster(tmp_path / "a.tif")

    def test_complex_numbers(self, tmp_path: Path):
        tifffile.imwrite(tmp_path / "a.tif", random_pixels(np.complex64, (30, 40)))
        with pytest.raises(InvalidInput, match="samples of type complex64"):
            read_raster(tmp_path / "a.tif")


def test_urls_are_read(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (4, 5, 3)).astype(np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, "png")
    url = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    assert np.array_equal(read_raster(url).pixels, pixels)
    with pytest.raises(InvalidInput, match="unsupported URL scheme"):
        read_raster("ftp://example.org/a.tif")
