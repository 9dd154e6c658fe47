"""Resampling filters of both backends."""

import enum

import PIL.Image
import pytest
import torch
from tests.helpers.image_processors import PAIR

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import LightGlueImageProcessor, LightGlueImageProcessorFast
from tiepoint.huggingface.image_processing.resizing import as_filter, resize_with_torch
from tiepoint.image import read_image


class InterpolationMode(enum.Enum):
    """Enumeration like torchvision's, whose values are names."""

    BICUBIC = "bicubic"
    BOX = "box"
    OTHER = "other"


def test_filters_are_numbers_names_or_members():
    given = [3, PIL.Image.Resampling.BICUBIC, "bicubic", InterpolationMode.BICUBIC, InterpolationMode.BOX]
    assert [as_filter(value) for value in given] == [3, 3, 3, 3, 4]
    assert LightGlueImageProcessor(resample=InterpolationMode.BICUBIC).resample == 3
    for value in (InterpolationMode.OTHER, "sinc", 1.5):
        with pytest.raises(InvalidInput, match="LightGlueImageProcessor: resample must be int"):
            LightGlueImageProcessor(resample=value)


def test_unsupported_filters_are_rejected():
    pil_processor = LightGlueImageProcessor(resample=PIL.Image.Resampling.HAMMING)
    assert pil_processor(PAIR, return_tensors="pt").pixel_values.shape == (1, 2, 3, 480, 640)
    with pytest.raises(InvalidInput, match=r"one of 0 \(nearest-exact\), 1 \(lanczos\), 2 \(bilinear\)"):
        LightGlueImageProcessorFast(resample=5)(PAIR)
    with pytest.raises(InvalidInput, match=r"resample must be one of 0 \(nearest\)"):
        LightGlueImageProcessor(resample=9)(PAIR)


def test_lanczos_is_close_to_pillow_or_refused():
    image = read_image(PAIR[0])
    try:
        resized = resize_with_torch(image, (20, 15), 1, None)
    except InvalidInput as error:
        assert "does not support lanczos" in str(error)  # noqa: PT017 (torch before 2.14)
        return
    expected = PAIR[0].resize((20, 15), PIL.Image.Resampling.LANCZOS)
    difference = resized.permute(1, 2, 0).int() - read_image(expected).pixels.permute(1, 2, 0).int()
    assert difference.abs().max() <= 1


def test_floating_point_images_keep_their_range_and_devices_their_images():
    image = read_image(torch.rand(3, 30, 40))
    for mode in (0, 2, 3):
        resized = resize_with_torch(image, (20, 15), mode, "cpu")
        assert resized.dtype == torch.float32
        assert 0 <= resized.min() < resized.max() <= 1
    assert resize_with_torch(image, (40, 30), 2, None).data_ptr() == image.pixels.data_ptr()
    gray = resize_with_torch(read_image(torch.rand(1, 30, 40)), (20, 15), 2, None)
    assert gray.stride(0) == 0
