"""Images in pages: size, depth, limits."""

import base64
import io

import numpy as np
import PIL.Image
import pytest
import torch

from tiepoint.html.embedding import EmbeddedImage, embed_image
from tiepoint.image import Image, read_image


def decoded(image: EmbeddedImage) -> PIL.Image.Image:
    kind, _, content = image.url.partition(",")
    assert kind == "data:image/jpeg;base64"
    return PIL.Image.open(io.BytesIO(base64.b64decode(content)))


def test_small_images_keep_their_size_and_colors() -> None:
    pixels = np.full((30, 50, 3), (200, 40, 30), np.uint8)
    image = embed_image(read_image(pixels))
    assert (image.size, image.image_size, image.is_reduced) == ((50, 30), (50, 30), False)
    assert np.abs(np.asarray(decoded(image)).astype(int) - pixels).max() <= 6


def test_large_images_are_reduced() -> None:
    image = embed_image(read_image(np.zeros((200, 400, 3), np.uint8)), max_side=100)
    assert (image.size, image.image_size, image.is_reduced) == ((100, 50), (400, 200), True)
    assert decoded(image).size == (100, 50)


def test_images_with_many_bytes_are_reduced() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    image = embed_image(read_image(noise), max_bytes=20_000)
    assert image.is_reduced
    assert len(base64.b64decode(image.url.partition(",")[2])) <= 20_000


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1)])
def test_narrow_images(shape: tuple[int, int]) -> None:
    image = embed_image(read_image(np.zeros(shape, np.uint8)), max_side=1000)
    assert decoded(image).size == image.size
    assert min(image.size) == 1


def test_gray_images_have_one_channel() -> None:
    assert decoded(embed_image(read_image(np.full((20, 20), 90, np.uint8)))).mode == "L"


def test_16_bits_become_8() -> None:
    gray = np.full((20, 20), 256 * 100, np.uint16)
    assert np.abs(np.asarray(decoded(embed_image(read_image(gray)))).astype(int) - 100).max() <= 2


@pytest.mark.slow
def test_100_megapixels_are_reduced() -> None:
    pixels = torch.full((1, 10_000, 10_000), 77, dtype=torch.uint8).expand(3, -1, -1)
    image = embed_image(Image(pixels=pixels))
    assert (image.size, image.image_size) == ((1600, 1600), (10_000, 10_000))
