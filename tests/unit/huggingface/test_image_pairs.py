"""Accepted forms of image pairs and of sizes."""

import io

import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.image_processors import ACCEPTED, PAIR, RNG, both_processors, random_image

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.image_processing import LightGlueImageProcessor, LightGlueImageProcessorFast
from tiepoint.image import read_image

# --- Forms of images


def png_file(folder) -> str:
    PAIR[0].save(folder / "a picture.png")
    return str(folder / "a picture.png")


@both_processors
@pytest.mark.parametrize(
    "form",
    [
        lambda image, _: image,
        lambda image, _: np.asarray(image),
        lambda image, _: np.asarray(image).transpose(2, 0, 1),
        lambda image, _: torch.from_numpy(np.array(image)),
        lambda image, _: torch.from_numpy(np.array(image)).permute(2, 0, 1),
        lambda image, _: read_image(image),
        lambda _, folder: png_file(folder),
        lambda _, folder: folder / png_file(folder),
        lambda image, _: np.dstack([np.asarray(image), np.zeros((30, 40), np.uint8)]),
        lambda image, _: np.asarray(image).astype(np.float32),
    ],
    ids=[
        "PIL",
        "hwc",
        "chw",
        "tensor hwc",
        "tensor chw",
        "Image",
        "text",
        "path",
        "RGBA",
        "float in [0, 255]",
    ],
)
def test_accepted_forms_give_the_same_pixels(processor, form, tmp_path):
    expected = processor(PAIR, return_tensors="pt", do_resize=False).pixel_values
    mixed = [form(PAIR[0], tmp_path), PAIR[1]]
    for pairs in (mixed, tuple(mixed), [mixed], [tuple(mixed)]):
        assert torch.allclose(
            processor(pairs, return_tensors="pt", do_resize=False).pixel_values, expected, atol=1e-6
        )


@both_processors
def test_floating_point_images_in_the_unit_range_are_already_rescaled(processor):
    values = RNG.random((3, 30, 40), dtype=np.float32)
    options = {"return_tensors": "np", "do_resize": False, "do_grayscale": False}
    assert np.allclose(processor([values, values], **options).pixel_values[0, 0], values, atol=1e-7)
    unscaled = processor([values, values], do_rescale=False, **options).pixel_values[0, 0]
    assert np.array_equal(unscaled, values)
    resized = processor([values, values], return_tensors="np", size=(15, 20)).pixel_values
    assert 0.3 < resized.min() < resized.max() < 0.7  # averages of four


@both_processors
def test_images_of_one_channel(processor):
    gray = RNG.integers(0, 256, (30, 40), dtype=np.uint8)
    forms = [PIL.Image.fromarray(gray), gray[..., None], gray[None], torch.from_numpy(gray)[None]]
    results = [processor([form, form], return_tensors="pt").pixel_values for form in forms]
    assert results[0].shape == (1, 2, 3, 480, 640)
    assert all(torch.equal(result, results[0]) for result in results)


def test_channel_axis_can_be_given():
    array = RNG.integers(0, 256, (3, 20, 3), dtype=np.uint8)
    shapes = [
        LightGlueImageProcessor(do_resize=False)(
            [array, array], return_tensors="pt", **options
        ).pixel_values.shape
        for options in ({}, {"input_data_format": "channels_last"})
    ]
    assert shapes == [(1, 2, 3, 20, 3), (1, 2, 3, 3, 20)]
    with pytest.raises(
        InvalidInput, match="input_data_format 'chw'; available: channels_first, channels_last"
    ):
        LightGlueImageProcessor()([array, array], input_data_format="chw")


def test_pil_images_are_used_as_stored_and_files_are_oriented(tmp_path):
    exif = PIL.Image.Exif()
    exif[274] = 6  # rotate by 90 degrees
    stream = io.BytesIO()
    random_image(40, 30).save(stream, "JPEG", exif=exif, quality=95)
    (tmp_path / "a.jpg").write_bytes(stream.getvalue())
    stored = PIL.Image.open(tmp_path / "a.jpg")
    processor = LightGlueImageProcessor(do_resize=False)
    as_stored = processor([stored, stored], return_tensors="pt").pixel_values
    upright = processor([tmp_path / "a.jpg"] * 2, return_tensors="pt").pixel_values
    assert as_stored.shape[-2:] == (stored.height, stored.width) == (30, 40)
    assert torch.equal(upright, as_stored.rot90(-1, dims=(-2, -1)))
    assert stored.getexif()[274] == 6


@both_processors
@pytest.mark.parametrize(
    "images",
    [
        PAIR[0],
        "a.png",
        None,
        [],
        [PAIR[0]],
        [*PAIR, PAIR[0]],
        [PAIR, PAIR[0]],
        [PAIR, [PAIR[0]]],
        [[PAIR]],
        [PAIR[0], None],
        [PAIR[0], 3],
        [np.zeros((8, 8), np.uint8)] * 2,
        np.zeros((2, 8, 8, 3), np.uint8),
        [np.zeros((2, 8, 8, 3), np.uint8)] * 2,
        {"image0": PAIR[0], "image1": PAIR[1]},
    ],
)
def test_other_forms_are_rejected_with_a_list_of_accepted_ones(processor, images):
    for error in (InvalidInput, ValueError):
        with pytest.raises(error, match=ACCEPTED) as caught:
            processor(images)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("/nowhere/a.png", "does not exist"),
        (np.zeros((8, 8, 5), np.uint8), "1, 3 or 4 channels"),
        (np.full((8, 8, 3), np.nan), "NaN"),
        (np.full((8, 8, 3), 300.0), "expected \\[0, 1\\]"),
        (np.zeros((8, 8, 3), np.int64), "must be uint8"),
        (np.zeros((0, 8, 3), np.float32), "has no pixels"),
    ],
)
def test_unreadable_images_are_explained(image, message):
    with pytest.raises(InvalidInput, match=message):
        LightGlueImageProcessorFast()([PAIR[0], image])


# --- Sizes


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
     {"height": True, "width": 3}, "480x640", (480,), (480, 640, 3), 0, None],
    ids=str,
)  # fmt: skip
def test_invalid_sizes_are_rejected(size):
    with pytest.raises(InvalidInput, match=r"size must be one of {height, width}, {longest_edge}, "):
        LightGlueImageProcessorFast(size=size)
