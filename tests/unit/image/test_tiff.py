"""TIFF: formats of samples that Pillow takes for others, or refuses."""

import io
import struct

import numpy as np
import PIL.Image
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import read_image
from tiepoint.image.tiff import Samples, read_samples

GRAY = np.linspace(0, 1, 40 * 50).reshape(40, 50)
KINDS = {"u": 1, "i": 2, "f": 3}


def tiff(array: np.ndarray, *, order: str = "<", photometric: int = 1) -> bytes:
    """An uncompressed TIFF, as TIFF 6.0 describes it."""
    height, width = array.shape[:2]
    bands = array.shape[2] if array.ndim == 3 else 1
    data = array.astype(array.dtype.newbyteorder(order)).tobytes()
    values = {256: width, 257: height, 258: 8 * array.itemsize, 259: 1, 262: photometric, 273: 8, 277: bands}
    values |= {278: height, 279: len(data), 284: 1, 339: KINDS[array.dtype.kind]}
    start = 8 + len(data)
    after = start + 2 + 12 * len(values) + 4
    entries, extra = b"", b""
    for tag, value in values.items():
        if tag in (258, 339) and bands > 2:  # one per band: too many for the entry
            entries += struct.pack(order + "HHII", tag, 3, bands, after + len(extra))
            extra += struct.pack(f"{order}{bands}H", *[value] * bands)
        elif tag in (258, 339):
            entries += struct.pack(order + "HHIHH", tag, 3, bands, value, value if bands == 2 else 0)
        else:
            entries += struct.pack(order + "HHII", tag, 4, 1, value)
    byte_order = {"<": b"II", ">": b"MM"}[order]
    count = struct.pack(order + "H", len(values))
    return byte_order + struct.pack(order + "HI", 42, start) + data + count + entries + bytes(4) + extra


def assert_is_gray(content: bytes, tolerance: float = 1e-4, **options: str) -> None:
    pixels = read_image(content, **options).pixels
    values = pixels.double() / (255 if pixels.dtype == torch.uint8 else 1)
    torch.testing.assert_close(values, torch.from_numpy(GRAY).expand(3, -1, -1), atol=tolerance, rtol=0)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "array",
    [
        (GRAY * 255).round().astype("u1"),
        (GRAY * 65535).astype("u2"),
        GRAY.astype("f4"),
        (GRAY * 65535).astype("i4"),
    ],
    ids=lambda array: array.dtype.name,
)
def test_white_is_zero(array: np.ndarray, order: str) -> None:
    inverse = (1 if array.dtype.kind == "f" else 255 if array.itemsize == 1 else 65535) - array
    assert_is_gray(tiff(array, order=order), tolerance=0.003)
    assert_is_gray(tiff(inverse.astype(array.dtype), order=order, photometric=0), tolerance=0.003)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "array",
    [(GRAY * 65535).astype("u4"), (GRAY * 65535).astype("i4"), (GRAY * 127 / 127).astype("f4")],
    ids=lambda array: array.dtype.name,
)
def test_grays_of_32_bits_are_16_bit_values(array: np.ndarray, order: str) -> None:
    assert_is_gray(tiff(array, order=order))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("array", "low"),
    [
        ((GRAY * 255 - 128).round().astype("i1"), "-128 to 127"),
        ((GRAY * 1000 - 200).astype("i2"), "-200 to 800"),
        ((GRAY * 4e9 - 2e9).astype("i4"), "-2,000,000,000"),
        ((GRAY * 4e9).astype("u4"), "4,000,000,000"),
        ((280 + 20 * GRAY).astype("f4"), "280 to 300"),
        ((1.4 * GRAY).astype("f4"), "0 to 1.4"),
    ],
)
def test_other_ranges_need_a_stretch_which_the_error_says(array: np.ndarray, low: str, order: str) -> None:
    with pytest.raises(InvalidInput, match=rf"{low}.*stretch='auto'"):
        read_image(tiff(array, order=order))
    assert_is_gray(tiff(array, order=order), tolerance=0.02, stretch="auto")


def test_small_values_of_signed_bytes_are_8_bits() -> None:
    pixels = read_image(tiff((GRAY * 127).astype("i1"))).pixels
    assert float(pixels.max()) == pytest.approx(127 / 255)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((4, 5, 5), "u2"), "5 bands of 16-bit unsigned integers.*gdal_translate -b 1"),
        (np.zeros((4, 5, 8), "u1"), "8 bands of 8-bit unsigned integers"),
        (np.zeros((4, 5, 3), "f4"), "3 bands of 32-bit floating point"),
        (np.zeros((4, 5), "f8"), "1 band of 64-bit floating point.*pass the pixels as an array"),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_formats_that_pillow_cannot_read_are_named(array: np.ndarray, text: str, order: str) -> None:
    with pytest.raises(InvalidInput, match=f"is a TIFF with {text}"):
        read_image(tiff(array, order=order))


def test_a_damaged_header_is_damaged() -> None:
    with pytest.raises(InvalidInput, match=r"is damaged|is truncated"):
        read_image(b"II*\0\x08\0\0\0\xff\0" + bytes(40))


def test_12_bits_use_the_whole_range() -> None:
    values = np.array([[0, 2048, 4095, 1]], np.uint16).repeat(4, 0)
    first, second = values[:, ::2].ravel(), values[:, 1::2].ravel()
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], 1).astype("u1")
    content = bytearray(tiff(packed.reshape(4, 6)))
    entry = content.index(struct.pack("<HHI", 258, 3, 1))
    content[entry + 8 : entry + 10] = struct.pack("<H", 12)
    width = content.index(struct.pack("<HHII", 256, 4, 1, 6))
    content[width + 8 : width + 12] = struct.pack("<I", 4)
    pixels = read_image(bytes(content)).pixels
    torch.testing.assert_close(pixels[0, 0], torch.tensor([0, 2048 / 4095, 1, 1 / 4095]), atol=1e-4, rtol=0)


def test_samples_are_those_of_the_file() -> None:
    with PIL.Image.open(io.BytesIO(tiff((GRAY * 9).astype("u2"), photometric=0))) as image:
        assert read_samples(image) == Samples(bands=1, bits=16, sample_format=1, white_is_zero=True)
    assert read_samples(PIL.Image.new("L", (3, 3))) is None
