"""Settings that both image processors share: pixels, padding, return types, settings files."""

import json

import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.image_processors import PAIR, both_processors, random_image
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.image_processing import (
    AutoImageProcessor,
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
)

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
    assert isinstance(lists[0], np.ndarray if processor.backend == "pil" else Tensor)
    assert np.array_equal(np.stack([np.asarray(item) for item in lists]), arrays)
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
    with pytest.warns(UserWarning, match="no setting do_greyscale"):
        processor(PAIR, do_greyscale=False)


def test_batch_feature_has_attributes_and_moves():
    features = LightGlueImageProcessorFast(do_resize=False)(
        [random_image(9, 8), random_image(7, 8)], return_tensors="pt"
    )
    assert dict(**features).keys() == {"pixel_values", "image_sizes"}
    moved = features.to(torch.float16)
    assert (moved.pixel_values.dtype, moved.image_sizes.dtype) == (torch.float16, torch.int64)
    assert moved is features
    assert {value.device.type for value in features.to("meta").values()} == {"meta"}
    with pytest.raises(AttributeError, match="'labels'; available: pixel_values, image_sizes"):
        _ = features.labels


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


# --- Settings ---


def test_processors_round_trip_through_a_folder(tmp_path):
    for processor in (
        LightGlueImageProcessor(size={"longest_edge": 512}),
        LightGlueImageProcessorFast(do_grayscale=False),
    ):
        path = processor.save_pretrained(tmp_path)
        assert path == tmp_path / "preprocessor_config.json"
        assert type(processor).from_pretrained(tmp_path) == processor
        assert json.loads(path.read_text())["image_processor_type"] == "LightGlueImageProcessor"
    assert LightGlueImageProcessor.from_pretrained(tmp_path) != LightGlueImageProcessorFast.from_pretrained(
        tmp_path
    )


def test_unknown_keys_of_a_file_are_kept_and_other_processors_rejected(tmp_path):
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps({"do_normalize": None, "crop": [1, 2], "size": {"shortest_edge": 99}}))
    processor = AutoImageProcessor.from_pretrained(tmp_path, do_grayscale=False)
    assert (processor.size, processor.crop, processor.do_grayscale) == ({"shortest_edge": 99}, [1, 2], False)
    assert processor.to_dict()["crop"] == [1, 2]
    file.write_text(json.dumps({"image_processor_type": "CLIPImageProcessor"}))
    with pytest.raises(InvalidInput, match="type 'CLIPImageProcessor'"):
        AutoImageProcessor.from_pretrained(tmp_path)
