"""Pixels that image processors return: scale, gray, padding, types, options of a call."""

import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.image_processors import PAIR, both_processors, random_image
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import SuperPointImageProcessor, SuperPointImageProcessorFast

# --- Pixels ---


@both_processors
def test_a_pair_and_a_list_of_pairs(processor):
    one, two = (processor(images, return_tensors="pt").pixel_values for images in (PAIR, [PAIR, PAIR[::-1]]))
    assert one.shape == (1, 2, 3, 480, 640)
    assert one.dtype == torch.float32
    assert 0 <= one.min() < one.max() <= 1
    assert two.shape == (2, 2, 3, 480, 640)
    assert torch.equal(two[0], one[0])
    assert torch.equal(two[1], one[0].flip(0))


@both_processors
def test_grayscale_is_three_equal_channels(processor):
    color = processor(PAIR, return_tensors="np", do_grayscale=False).pixel_values
    gray = processor(PAIR, return_tensors="np").pixel_values
    expected = 0.2989 * color[:, :, 0] + 0.5870 * color[:, :, 1] + 0.1140 * color[:, :, 2]
    assert np.allclose(gray, expected[:, :, None], atol=1e-6)


@both_processors
def test_grayscale_images_are_not_changed(processor):
    white = PIL.Image.new("L", (8, 8), 255)
    pixels = processor([white, PAIR[0]], return_tensors="pt").pixel_values
    assert bool((pixels[0, 0] == 1).all())


@both_processors
def test_return_types(processor):
    arrays = processor(PAIR, return_tensors="np").pixel_values
    lists = processor(PAIR).pixel_values
    assert isinstance(arrays, np.ndarray)
    assert isinstance(lists, list)
    if processor.backend == "pil":
        assert [type(item) for item in lists[0]] == [np.ndarray] * 2
    else:
        assert isinstance(lists[0], Tensor)
    assert np.array_equal(
        np.stack([np.stack([np.asarray(image) for image in pair]) for pair in lists]), arrays
    )
    with pytest.raises(InvalidInput, match="return_tensors must be 'pt', 'np' or None, got 'tf'"):
        processor(PAIR, return_tensors="tf")


@both_processors
def test_settings_of_one_call_do_not_change_the_processor(processor):
    before = processor.to_dict()
    pixels = processor(PAIR, return_tensors="pt", do_resize=False, do_rescale=False, do_grayscale=False)
    expected = torch.from_numpy(np.stack([np.asarray(image) for image in PAIR])).permute(0, 3, 1, 2)
    assert torch.equal(pixels.pixel_values[0], expected.float())
    assert torch.equal(
        processor(PAIR, return_tensors="pt", size=None).pixel_values,
        processor(PAIR, return_tensors="pt").pixel_values,
    )
    assert processor.to_dict() == before


@both_processors
def test_options_without_effect_warn_and_unknown_ones_are_errors(processor):
    name = type(processor).__name__
    expected = processor(PAIR, return_tensors="pt").pixel_values
    with pytest.warns(
        UserWarning, match=f"^{name}.preprocess: do_normalize, crop_size has no effect"
    ) as caught:
        pixels = processor(PAIR, return_tensors="pt", do_normalize=True, crop_size=5, do_pad=False)
    assert torch.equal(pixels.pixel_values, expected)
    assert caught[0].filename == __file__
    for error in (TypeError, InvalidInput):
        with pytest.raises(error, match=f"^{name}.preprocess: unknown option 'do_greyscale'.*'do_grayscale'"):
            processor(PAIR, do_greyscale=False)


@both_processors
def test_channels_can_be_last(processor):
    first = processor(PAIR, return_tensors="pt").pixel_values
    last = processor(PAIR, return_tensors="pt", data_format="channels_last").pixel_values
    assert torch.equal(last, first.movedim(-3, -1))
    with pytest.raises(InvalidInput, match="unknown data_format 'chw'"):
        processor(PAIR, data_format="chw")


def test_options_of_a_call_can_be_settings(tmp_path):
    processor = SuperPointImageProcessor(return_tensors="pt", data_format="channels_last", device="meta")
    processor.save_pretrained(tmp_path)
    for same in (processor, SuperPointImageProcessorFast.from_pretrained(tmp_path)):
        pixels = same(PAIR).pixel_values
        assert (pixels.shape, pixels.device.type) == ((2, 480, 640, 3), "meta")
        assert isinstance(same(PAIR, return_tensors=None, device="cpu").pixel_values, list)


@both_processors
def test_images_of_different_sizes_are_padded_at_the_bottom_and_right(processor):
    small, large = random_image(40, 30), random_image(50, 20)
    features = processor([[small, large], [large, large]], return_tensors="pt", do_resize=False)
    alone = [
        processor([image] * 2, return_tensors="pt", do_resize=False).pixel_values[0, 0]
        for image in (small, large)
    ]
    assert features.pixel_values.shape == (2, 2, 3, 30, 50)
    assert features.image_sizes.tolist() == [[[30, 40], [20, 50]], [[20, 50], [20, 50]]]
    assert torch.equal(features.pixel_values[0, 0, :, :, :40], alone[0])
    assert torch.equal(features.pixel_values[0, 1, :, :20], alone[1])
    assert not features.pixel_values[0, 0, :, :, 40:].any()
    assert not features.pixel_values[:, 1, :, 20:].any()
