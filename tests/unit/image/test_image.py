"""Image: its checks and conversions."""

import pickle

import numpy as np
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, read_image

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


GRAY = RGB[..., 0]


@pytest.mark.parametrize(
    "pixels", [torch.zeros(1, 2, 2), torch.zeros(3, 0, 2), torch.zeros(3, 2, 2).double()]
)
@pytest.mark.usefixtures("without_type_checker")
def test_image_checks_its_pixels(pixels: torch.Tensor) -> None:
    with pytest.raises(InvalidInput, match=r"pixels must be a tensor \(3, height, width\).* got Tensor"):
        Image(pixels=pixels)


def test_to_pil_gives_back_8_bit_rgb() -> None:
    np.testing.assert_array_equal(np.asarray(read_image(RGB).to_pil()), RGB)
    deep = read_image(RGB / 255.0).to_pil()
    assert deep.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(deep), RGB)


def test_an_image_can_be_pickled() -> None:
    image = read_image(GRAY)
    assert torch.equal(pickle.loads(pickle.dumps(image)).pixels, image.pixels)
