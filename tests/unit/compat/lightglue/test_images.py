from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from tiepoint.compat.lightglue.images import load_image, numpy_image_to_torch, read_image, resize_image
from tiepoint.errors import InvalidInput

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    PIL.Image.fromarray(PIXELS).save(tmp_path / "image.png")
    return tmp_path / "image.png"


def test_load_image(file: Path) -> None:
    image = load_image(file)
    assert (image.shape, image.dtype) == ((3, 30, 50), torch.float32)
    assert torch.equal(image, torch.from_numpy(PIXELS.transpose(2, 0, 1) / 255.0).float())


@pytest.mark.parametrize(("resize", "shape"), [(25, (15, 25)), ((10, 20), (10, 20)), ([10, 20], (10, 20))])
def test_load_image_resized(file: Path, resize, shape: tuple[int, int]) -> None:
    assert load_image(file, resize=resize).shape == (3, *shape)
    assert load_image(file, resize=15, fn="min").shape == (3, 15, 25)


def test_the_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(PIXELS).save(tmp_path / "turned.png", exif=exif)
    assert load_image(tmp_path / "turned.png").shape == (3, 50, 30)


def test_grayscale_and_deep_images(file: Path, tmp_path: Path) -> None:
    gray = read_image(file, grayscale=True)
    assert (gray.shape, gray.dtype) == ((30, 50), np.uint8)
    assert np.abs(gray - PIXELS @ [0.299, 0.587, 0.114]).max() <= 0.5001
    PIL.Image.fromarray(np.full((8, 8), 65535, np.uint16)).save(tmp_path / "deep.png")
    assert read_image(tmp_path / "deep.png").tolist() == np.full((8, 8, 3), 255).tolist()


def test_area_averages_pixels() -> None:
    resized, scale = resize_image(PIXELS, (15, 25))
    blocks = PIXELS.reshape(15, 2, 25, 2, 3).mean(axis=(1, 3))
    assert np.abs(resized - blocks).max() <= 0.5001
    assert scale == (0.5, 0.5)


@pytest.mark.parametrize("interp", ["linear", "cubic", "nearest", "area"])
def test_constant_images_stay_constant(interp) -> None:
    for size in (13, 90):
        resized, _ = resize_image(np.full((30, 50), 77, np.uint8), size, interp=interp)
        assert resized.ndim == 2
        assert np.unique(resized).tolist() == [77]


def test_invalid_arguments(file: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="missing"):
        load_image(tmp_path / "missing.jpg")
    with pytest.raises(InvalidInput, match="did you mean 'area'"):
        load_image(file, resize=20, interp="aera")
    with pytest.raises(InvalidInput, match="fn"):
        load_image(file, resize=20, fn="mean")
    with pytest.raises(InvalidInput, match=r"\(2, 2, 2, 2\)"):
        numpy_image_to_torch(np.zeros((2, 2, 2, 2)))
