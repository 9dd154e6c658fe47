"""The `size` setting: forms, attributes, sizes of resized images."""

import copy
import json
import pickle

import pytest
from tests.helpers.image_processors import both_processors, random_image

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import LightGlueImageProcessor, LightGlueImageProcessorFast
from tiepoint.huggingface.image_processing.sizes import SizeDict, as_size


@both_processors
@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ({"height": 20, "width": 70}, (20, 70)),
        ((20, 70), (20, 70)),
        ({"longest_edge": 50}, (20, 50)),
        ({"longest_edge": 1024}, (410, 1024)),
        ({"shortest_edge": 10}, (10, 25)),
        (10, (10, 25)),
        ({"shortest_edge": 10, "longest_edge": 20}, (8, 20)),
        ({"shortest_edge": 10, "longest_edge": 25}, (10, 25)),
        ({"max_height": 60, "max_width": 50}, (20, 50)),
        ({"max_height": 10, "max_width": 50}, (10, 25)),
        ({"max_height": 10, "max_width": 50, "shortest_edge": None}, (10, 25)),
    ],
    ids=str,
)
def test_resized_sizes_of_a_100_x_40_image(processor, size, shape):
    for image_size, expected in (((100, 40), shape), ((40, 100), shape[::-1])):
        if size in ({"height": 20, "width": 70}, (20, 70)):
            expected = shape
        elif "max_height" in (size if isinstance(size, dict) else {}) and image_size == (40, 100):
            continue
        features = processor([random_image(*image_size)] * 2, return_tensors="pt", size=size)
        assert features.pixel_values.shape[-2:] == expected
        assert "image_sizes" not in features


def test_thin_image_keeps_one_pixel_and_too_large_results_are_rejected():
    thin = [random_image(600, 1)] * 2
    processor = LightGlueImageProcessorFast()
    assert processor(thin, return_tensors="pt", size={"longest_edge": 60}).pixel_values.shape[-2:] == (1, 60)
    with pytest.raises(InvalidInput, match=r"shortest_edge.*add 'longest_edge'"):
        processor(thin, size={"shortest_edge": 480})


@pytest.mark.parametrize(
    "size",
    [{}, {"height": 480}, {"width": 5, "longest_edge": 5}, {"longest_edge": 0}, {"longest_edge": 1.5}, {"longest_edge": 99_999},
     {"height": True, "width": 3}, "480x640", (480,), (480, 640, 3), 0],
    ids=str,
)  # fmt: skip
def test_invalid_sizes_are_rejected(size):
    with pytest.raises(InvalidInput, match=r"size must be one of {height, width}, {longest_edge}, "):
        LightGlueImageProcessorFast(size=size)


def test_sides_are_attributes_and_keys():
    size = as_size({"longest_edge": 5})
    assert (size.longest_edge, size.height) == (5, None)
    assert size == {"longest_edge": 5}
    assert copy.deepcopy(size) == size == pickle.loads(pickle.dumps(size))
    assert json.dumps(size) == '{"longest_edge": 5}'
    with pytest.raises(AttributeError, match="no side 'heightt'; available: height, longest_edge"):
        _ = size.heightt
    assert isinstance(LightGlueImageProcessor().size, SizeDict)


def test_integers_are_the_shortest_edge_or_a_square():
    assert as_size(7) == {"shortest_edge": 7}
    assert as_size(7, default_to_square=True) == {"height": 7, "width": 7}
    processor = LightGlueImageProcessor(size=7, default_to_square=True)
    assert processor.size == {"height": 7, "width": 7}
    processor.size = 8
    assert processor.size == {"height": 8, "width": 8}
    images = [random_image(40, 20)] * 2
    assert processor(images, size=9).pixel_values[0][0].shape == (3, 9, 9)
    processor = LightGlueImageProcessor()
    assert processor(images, size=9, default_to_square=True).pixel_values[0][0].shape == (3, 9, 9)
    assert processor(images, size=9).pixel_values[0][0].shape == (3, 9, 18)
