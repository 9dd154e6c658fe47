"""Files of every format, depth and EXIF orientation, and everything that can be wrong with a file."""

import logging
import os
import threading
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import read_image

HEIGHT, WIDTH = 48, 64
ORIENTATION = 0x0112


def picture() -> np.ndarray:
    """A smooth picture without symmetry, which JPEG keeps nearly as it is."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.dstack([4 * x, 5 * y, 255 - 2 * x - 2 * y]).clip(0, 255).astype(np.uint8)


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """The EXIF standard's table, written down without Pillow: what the raster looks like when turned upright."""
    return {
        1: array,
        2: array[:, ::-1],
        3: array[::-1, ::-1],
        4: array[::-1],
        5: array.swapaxes(0, 1),
        6: array[::-1].swapaxes(0, 1),
        7: array[::-1, ::-1].swapaxes(0, 1),
        8: array[:, ::-1].swapaxes(0, 1),
    }[orientation]


def pixels_of(path: Path) -> np.ndarray:
    return read_image(path).pixels.permute(1, 2, 0).numpy()


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp", "ppm", "webp", "jp2", "tga"])
def test_lossless_formats_keep_every_pixel(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    PIL.Image.fromarray(picture()).save(path, **({"lossless": True} if suffix == "webp" else {}))
    if suffix == "tga":
        with pytest.raises(InvalidInput, match="not in a supported image format"):
            read_image(path)
        return
    np.testing.assert_array_equal(pixels_of(path), picture())


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("jpg", {"quality": 95}),
        ("jpg", {"quality": 95, "progressive": True}),
        ("webp", {"quality": 95}),
        ("avif", {"quality": 95}),
    ],
)
def test_lossy_formats_stay_close(tmp_path: Path, suffix: str, options: dict) -> None:
    path = tmp_path / f"a.{suffix}"
    PIL.Image.fromarray(picture()).save(path, **options)
    assert np.abs(pixels_of(path).astype(int) - picture()).mean() < 3


@pytest.mark.parametrize("mode", ["CMYK", "L"])
def test_cmyk_and_gray_jpegs(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.jpg"
    source = PIL.Image.fromarray(picture()).convert(mode)
    source.save(path, quality=95)
    assert np.abs(pixels_of(path).astype(int) - np.asarray(source.convert("RGB"))).mean() < 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_png_modes(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    source = PIL.Image.fromarray(picture()).convert(mode)
    source.save(path)
    np.testing.assert_array_equal(pixels_of(path), np.asarray(source.convert("RGB")))


def test_alpha_is_dropped_not_blended(tmp_path: Path) -> None:
    clear = np.dstack([picture(), np.zeros((HEIGHT, WIDTH), np.uint8)])
    PIL.Image.fromarray(clear).save(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.png"), picture())


@pytest.mark.parametrize("name", ["a.png", "a.tiff", "a.pgm"])
def test_16_bit_gray_keeps_its_precision(tmp_path: Path, name: str) -> None:
    deep = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    assert cv2.imwrite(str(tmp_path / name), deep)
    pixels = read_image(tmp_path / name).pixels
    assert pixels.dtype == torch.float32
    np.testing.assert_allclose(pixels[1].double() * 65535, deep, atol=0.01)


def test_big_endian_16_bit_tiff(tmp_path: Path) -> None:
    deep = np.array([[0, 258, 65535]], ">u2")
    PIL.Image.frombytes("I;16B", (3, 1), deep.tobytes()).save(tmp_path / "a.tif")
    np.testing.assert_allclose(
        read_image(tmp_path / "a.tif").pixels[0] * 65535, deep.astype(float), rtol=1e-6
    )


@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
def test_16_bit_color_comes_down_to_8_bits(tmp_path: Path, name: str) -> None:
    """Pillow's limit, as the documentation says; the array itself can be passed for all 16 bits."""
    deep = picture()[..., ::-1].astype(np.uint16) * 257
    assert cv2.imwrite(str(tmp_path / name), deep)
    np.testing.assert_array_equal(pixels_of(tmp_path / name), picture())


def test_floating_point_tiff(tmp_path: Path) -> None:
    gray = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    PIL.Image.fromarray(gray).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels[2], gray)
    PIL.Image.fromarray(300 * gray).save(tmp_path / "b.tif")
    with pytest.raises(InvalidInput, match=r"b.tif' is floating point with values from 0 to 300"):
        read_image(tmp_path / "b.tif")


@pytest.mark.parametrize("name", ["a.gif", "a.tiff", "a.png", "a.webp"])
def test_the_first_frame_is_read(tmp_path: Path, name: str) -> None:
    first, second = PIL.Image.new("RGB", (4, 4), (255, 0, 0)), PIL.Image.new("RGB", (4, 4), (0, 0, 255))
    first.save(tmp_path / name, save_all=True, append_images=[second])
    assert np.abs(pixels_of(tmp_path / name) - np.array([255, 0, 0])).max() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
def test_exif_orientation_is_applied(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"a.{suffix}"
    PIL.Image.fromarray(picture()).save(path, exif=exif, quality=95)
    expected = upright(picture(), orientation)
    for source in (path, PIL.Image.open(path)):
        image = read_image(source)
        assert image.exif_orientation == orientation
        assert image.image_size == (expected.shape[1], expected.shape[0])
        assert np.abs(image.pixels.permute(1, 2, 0).numpy().astype(int) - expected).mean() < 3


def test_the_source_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "~a b.png"
    PIL.Image.fromarray(picture()).save(path)
    assert read_image(path).source == str(path)
    with PIL.Image.open(path) as opened:
        assert read_image(opened).source == str(path)
        assert read_image(opened.crop((0, 0, 3, 3))).source is None
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_image("~/~a b.png").source == str(path)
    monkeypatch.chdir(tmp_path)
    opened = PIL.Image.open("~a b.png")
    assert read_image("~a b.png").source == read_image(opened).source == str(path)  # after os.chdir, too


@pytest.mark.parametrize("value", [0, 9, 255])
def test_a_senseless_orientation_counts_as_none(tmp_path: Path, value: int) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = value
    PIL.Image.fromarray(picture()).save(tmp_path / "a.png", exif=exif)
    assert read_image(tmp_path / "a.png").exif_orientation == 1


def test_damaged_exif_does_not_cost_the_image(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    PIL.Image.fromarray(picture()).save(tmp_path / "a.png", exif=b"Exif\0\0no TIFF header")
    with caplog.at_level(logging.WARNING, logger="tiepoint"):
        image = read_image(tmp_path / "a.png")
    assert image.exif_orientation == 1
    assert "EXIF orientation" in caplog.text


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 7), (7, 1)])
def test_tiny_images_are_fine(tmp_path: Path, width: int, height: int) -> None:
    PIL.Image.new("RGB", (width, height)).save(tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg").image_size == (width, height)


@pytest.mark.slow
def test_our_own_limit_holds_before_anything_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PIL.Image.new("1", (20_000, 15_001)).save(path)
    with pytest.raises(InvalidInput, match=r"20000 x 15001 px = 300.0 megapixels.* limit of 300"):
        read_image(path)
    PIL.Image.fromarray(picture()).save(path)
    with pytest.raises(InvalidInput, match=r"limit of 0\.003"):
        read_image(path, max_megapixels=0.003)


def refusal(source: str | Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_image(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_missing_files_and_folders(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (2, 2)).save(tmp_path / "DSC_0410.JPG")
    assert "did you mean 'DSC_0410.JPG'?" in refusal(tmp_path / "dsc_0411.jpg")
    assert "no similar name" in refusal(tmp_path / "zzz.png")
    assert "does not exist either" in refusal(tmp_path / "photos" / "a.jpg")
    assert "is a folder" in refusal(tmp_path)
    assert "not found" in refusal("a\nb\0.png")
    assert "too long for a path; shorten it" in refusal(tmp_path / ("a" * 300))


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is a device or pipe" in refusal(tmp_path / "pipe")


def test_files_are_closed_and_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    """A ResourceWarning would fail this test."""
    path = tmp_path / "a.tiff"
    PIL.Image.fromarray(picture()).save(path)
    results: list[torch.Tensor] = []
    threads = [threading.Thread(target=lambda: results.append(read_image(path).pixels)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(torch.equal(results[0], other) for other in results)
