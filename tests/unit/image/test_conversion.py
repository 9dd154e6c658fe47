"""Pixels in memory: PIL images, arrays and tensors of every layout and depth, and their errors."""

import numpy as np
import PIL.Image
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import read_image

HEIGHT, WIDTH = 5, 7
RGB = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
GRAY = RGB[..., 0]
CHW = torch.from_numpy(RGB).permute(2, 0, 1)


def three(gray: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(gray)).expand(3, -1, -1)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (RGB, CHW),
        (RGB[None], CHW),
        (np.dstack([RGB, GRAY]), CHW),
        (RGB[..., ::-1], CHW.flip(0)),
        (GRAY, three(GRAY)),
        (GRAY[..., None], three(GRAY)),
        (GRAY > 99, three(255 * (GRAY > 99).astype(np.uint8))),
        (CHW, CHW),
        (CHW[None], CHW),
        (torch.cat([CHW, CHW[:1]]), CHW),
        (CHW[0], three(GRAY)),
        (CHW[:1], three(GRAY)),
    ],
)
def test_8_bit_arrays_and_tensors_keep_their_values(
    source: np.ndarray | torch.Tensor, expected: torch.Tensor
) -> None:
    image = read_image(source)
    assert image.pixels.dtype == torch.uint8
    assert torch.equal(image.pixels, expected)
    assert image.image_size == (WIDTH, HEIGHT)
    assert (image.source, image.exif_orientation) == (None, 1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_floating_point_arrays_become_float32(dtype: np.dtype) -> None:
    values = np.linspace(0, 1, HEIGHT * WIDTH * 3).reshape(HEIGHT, WIDTH, 3).astype(dtype)
    pixels = read_image(values).pixels
    assert pixels.dtype == torch.float32
    np.testing.assert_array_equal(pixels.permute(1, 2, 0), values.astype(np.float32))


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_16_bits_keep_their_precision_in_both_byte_orders(dtype: str) -> None:
    values = np.array([[0, 1, 258], [32768, 65534, 65535]], dtype)
    pixels = read_image(values).pixels
    assert pixels.dtype == torch.float32
    torch.testing.assert_close(pixels.double() * 65535, three(values.astype(np.float64)), rtol=0, atol=0.005)


def test_16_bit_tensors_are_read() -> None:
    pixels = read_image(torch.tensor([[0, 65535]], dtype=torch.uint16)).pixels
    assert pixels[0].tolist() == [[0.0, 1.0]]


def test_bfloat16_and_gradients_are_read() -> None:
    values = torch.full((3, 2, 2), 0.5, dtype=torch.bfloat16, requires_grad=True)
    pixels = read_image(values).pixels
    assert not pixels.requires_grad
    assert pixels.unique().tolist() == [0.5]


def test_rounding_beyond_the_range_is_clamped() -> None:
    pixels = read_image(np.array([[-1e-4, 1 + 1e-4]])).pixels
    assert (pixels.min(), pixels.max()) == (0.0, 1.0)


def test_read_only_and_flipped_arrays_are_read() -> None:
    array = GRAY[::-1].copy()[::-1]
    array.setflags(write=False)
    assert torch.equal(read_image(array).pixels, three(GRAY))


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        (RGB.transpose(2, 0, 1), ["(height, width, channels)", "(3, 5, 7)", "array.transpose(1, 2, 0)"]),
        (torch.from_numpy(RGB), ["(channels, height, width)", "(5, 7, 3)", "tensor.permute(2, 0, 1)"]),
        (np.zeros((2, 5, 7, 3), np.uint8), ["(2, 5, 7, 3)", "one at a time"]),
        (torch.zeros(2, 3, 5, 7), ["(2, 3, 5, 7)", "one at a time"]),
        (np.zeros((5, 7, 2), np.uint8), ["1, 3 or 4 channels", "(5, 7, 2)"]),
        (np.zeros(9, np.uint8), ["(9,)"]),
        (np.zeros((0, 7, 3), np.uint8), ["(0, 7, 3)", "no pixels"]),
        (np.array(3, np.uint8), ["shape ()"]),
        (np.array([[0, 255.0]]), ["0 to 255", "divide by 255"]),
        (np.full((2, 2), 60000.0), ["60000 to 60000", "stretch='auto'"]),
        (np.full((2, 2), 1e6), ["1e+06", "stretch='auto'"]),
        (np.full((2, 2), -0.5), ["-0.5", "undo its normalization"]),
        (np.array([[0.5, np.nan]]), ["NaN", "nan_to_num"]),
        (np.array([[0.5, np.inf]]), ["infinite"]),
        (torch.tensor([[0.5, float("nan")]]), ["NaN"]),
        (RGB.astype(np.int64) - 9, ["integers from -9 to", "65,535", "stretch='auto'"]),
        (CHW.long() * 1000, ["integers from", "65,535", "stretch='auto'"]),
        (np.full((2, 2), 1.4), ["1.4", "stretch='auto'"]),
        (np.array([["a"]], object), ["object"]),
        (GRAY.astype(np.complex64), ["complex64"]),
        (torch.zeros(2, 2, dtype=torch.complex64), ["complex64"]),
    ],
)
def test_wrong_arrays_are_named_in_one_line(source: np.ndarray | torch.Tensor, texts: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_image(source)
    message = str(caught.value)
    assert "\n" not in message
    for text in texts:
        assert text in message


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "LA", "PA"]
)
def test_every_pil_mode_becomes_rgb(mode: str) -> None:
    flat = PIL.Image.new(
        "RGB", (WIDTH, HEIGHT), (255, 0, 0) if mode not in ("1", "L", "LA") else (255, 255, 255)
    )
    expected = torch.tensor(flat.getpixel((0, 0)))
    pixels = read_image(flat.convert(mode)).pixels
    assert pixels.shape == (3, HEIGHT, WIDTH)
    assert (pixels[:, 2, 3].int() - expected).abs().max() <= (5 if mode == "LAB" else 1)


@pytest.mark.parametrize(("mode", "through"), [("RGBa", "RGBA"), ("La", "LA")])
def test_premultiplied_modes_become_rgb(mode: str, through: str) -> None:
    image = PIL.Image.new("L", (2, 2), 200).convert(through).convert(mode)
    assert read_image(image).pixels.unique().tolist() == [200]


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B"])
def test_16_bit_pil_images_keep_their_precision(mode: str) -> None:
    data = np.array([[0, 1000, 65535]], ">u2" if mode == "I;16B" else "<u2")
    image = PIL.Image.frombytes(mode, (3, 1), data.tobytes())
    torch.testing.assert_close(read_image(image).pixels[0], torch.tensor([[0, 1000 / 65535, 1]]))


def test_32_bit_pil_images_are_16_bit_or_unit_range() -> None:
    whole = PIL.Image.fromarray(np.array([[0, 65535]], np.int32))
    assert read_image(whole).pixels[0].tolist() == [[0.0, 1.0]]
    real = PIL.Image.fromarray(np.array([[0.0, 0.25]], np.float32))
    assert read_image(real).pixels[0].tolist() == [[0.0, 0.25]]
    with pytest.raises(InvalidInput, match=r"the PIL image .*from -1 to 65,536"):
        read_image(PIL.Image.fromarray(np.array([[-1, 65536]], np.int32)))
    with pytest.raises(InvalidInput, match="the PIL image is floating point with values from 0 to 255"):
        read_image(PIL.Image.fromarray(np.array([[0, 255]], np.float32)))


def test_palette_transparency_is_dropped_without_a_warning() -> None:
    image = PIL.Image.new("RGB", (2, 2), (10, 200, 30)).convert("P", palette=PIL.Image.Palette.ADAPTIVE)
    image.info["transparency"] = bytes([0, 255])
    assert read_image(image).pixels[:, 0, 0].tolist() == [10, 200, 30]


def test_a_pil_image_without_pixels_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"\(3, 0, 0\)"):
        read_image(PIL.Image.new("RGB", (0, 0)))


def test_a_tall_image_is_copied_whole() -> None:
    tall = np.random.default_rng(1).integers(0, 256, (201, 3, 3), dtype=np.uint8)  # more than three strips
    np.testing.assert_array_equal(read_image(PIL.Image.fromarray(tall)).pixels.permute(1, 2, 0), tall)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_masked_values_are_dark_and_do_not_count_for_the_range(dtype: type) -> None:
    """As rasterio reads "no data" with masked=True."""
    values = np.linspace(0.25, 1, 60).reshape(6, 10) * (1 if dtype == np.float32 else 255)
    no_data = 0 if dtype == np.uint8 else -9999
    array = np.ma.masked_array(values.astype(dtype), mask=np.arange(6)[:, None].repeat(10, 1) < 2)
    array.data[array.mask] = no_data
    for stretch in (None, 0):
        pixels = read_image(array, stretch=stretch).pixels.float()
        darkest = pixels[:, 2, 0]
        assert bool((pixels[:, :2] == darkest[:, None, None]).all())
        assert bool((pixels >= 0).all())
    assert float(pixels.max()) == 1
    assert not read_image(np.ma.masked_array(np.full((2, 2), 7.0), mask=True)).pixels.any()
