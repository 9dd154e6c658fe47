"""ImageScaling: the same as ImageTransform, on arrays."""

import numpy as np
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, ImageTransform
from tiepoint.image.image_array import ImageArray
from tiepoint.image.scaling import ImageScaling

SIZES = [(64, 48), (150, 90), (37, 91), (400, 301), (90, 7), (1, 1), (97, 33)]
RESIZES = [1, 33, 96, 150, None]


@pytest.mark.parametrize("image_size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_equal_those_of_the_tensor_form(image_size: tuple[int, int], channels: int) -> None:
    width, height = image_size
    rng = np.random.default_rng(width)
    values = rng.integers(0, 256, (channels, height, width), np.uint8)
    for array in (values, values.astype(np.float32) / 255):
        image = ImageArray(channels=array)
        for resize in RESIZES:
            expected = ImageTransform.fit(image_size, resize).apply(Image.from_array(image)).numpy()
            resized = ImageScaling.fit(image_size, resize).apply_to_array(image)
            assert resized.dtype == np.float32
            assert not np.shares_memory(resized, array)
            np.testing.assert_allclose(resized, expected, atol=1e-6, rtol=0)


def test_large_reductions_are_filtered_in_chunks_of_rows() -> None:
    array = np.random.default_rng(0).random((1, 3001, 1703), np.float32)
    expected = ImageTransform.fit((1703, 3001), 256).apply(Image.from_array(ImageArray(channels=array)))
    resized = ImageScaling.fit((1703, 3001), 256).apply_to_array(ImageArray(channels=array))
    np.testing.assert_allclose(resized, expected.numpy(), atol=1e-6, rtol=0)


def test_keypoints_equal_those_of_the_tensor_form() -> None:
    keypoints = 90 * np.random.default_rng(0).random((200, 2), np.float32)
    scaling, transform = (cls.fit((1531, 999), 96, multiple=8) for cls in (ImageScaling, ImageTransform))
    mapped = scaling.array_to_original(keypoints)
    assert mapped.dtype == np.float32
    np.testing.assert_array_equal(mapped, transform.to_original(torch.from_numpy(keypoints)).numpy())


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"expected an image of \(8, 8\) px"):
        ImageScaling.fit((8, 8), 4).apply_to_array(ImageArray(channels=np.zeros((1, 9, 8), np.uint8)))
