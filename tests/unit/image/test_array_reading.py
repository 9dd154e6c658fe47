"""read_array: what read_image reads, without tensors."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.image import read_image
from tiepoint.image.array_reading import read_array

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (13, 17, 3), np.uint8)
SOURCES = [
    RGB,
    RGB[..., 0],
    RNG.integers(0, 65536, (9, 8), np.uint16),
    RNG.random((9, 8, 4)),
    PIL.Image.fromarray(RGB),
    PIL.Image.fromarray(RGB).convert("P"),
]

WITHOUT_TORCH = """
import sys
sys.modules.update(dict.fromkeys(("torch", "jaxtyping")))
from tiepoint.image import (
    array_reading, array_resize, conversion, data_url, decoding, download, exif, image_array, listing, opening,
    sample_pair, scaling, stretch, tiff,
)
"""
"""The runtime without torch is built from these modules."""


@pytest.mark.parametrize("source", SOURCES)
def test_it_reads_the_same_pixels_as_read_image(source: np.ndarray | PIL.Image.Image) -> None:
    image, array = read_image(source), read_array(source)
    assert array.image_size == image.image_size
    assert array.channels.dtype == image.pixels.numpy().dtype
    np.testing.assert_array_equal(np.broadcast_to(array.channels, image.pixels.shape), image.pixels.numpy())


def test_files_keep_their_source_and_orientation(tmp_path: Path) -> None:
    path, exif = tmp_path / "a.png", PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(RGB).save(path, exif=exif)
    array = read_array(path)
    assert (array.source, array.exif_orientation, array.image_size) == (str(path), 6, (13, 17))


def test_empty_paths_and_large_arrays_are_errors() -> None:
    with pytest.raises(InvalidInput, match="empty"):
        read_array("")
    with pytest.raises(InvalidInput, match="megapixels"):
        read_array(RGB, max_megapixels=1e-6)


def test_modules_for_files_and_arrays_need_no_torch() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], check=True)
