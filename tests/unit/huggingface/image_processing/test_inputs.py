"""Forms of one image, of lists of images, and load_image."""

import base64
import io
import socket

import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.image_processors import PAIR, RNG, both_processors, random_image

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import (
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
    SuperPointImageProcessorFast,
    load_image,
)
from tiepoint.image import read_image


def png_file(folder) -> str:
    PAIR[0].save(folder / "a picture.png")
    return str(folder / "a picture.png")


def encoded(image: PIL.Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


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
        lambda image, _: np.asarray(image).astype(np.int32),
        lambda image, _: np.asarray(image).astype(np.uint64),
        lambda image, _: torch.from_numpy(np.asarray(image).astype(np.int64)).permute(2, 0, 1),
        lambda image, _: torch.from_numpy(np.array(image)).permute(2, 0, 1).to(torch.uint32),
        lambda image, _: encoded(image),
        lambda image, _: "data:image/png;base64," + encoded(image),
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
        "int32",
        "uint64",
        "int64 tensor",
        "uint32 tensor",
        "base64",
        "data URL",
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
    assert 0.1 < resized.min() < resized.max() < 0.9  # averages of at least four


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


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("/nowhere/a.png", "does not exist"),
        (np.zeros((8, 8, 5), np.uint8), "1, 3 or 4 channels"),
        (np.full((8, 8, 3), np.nan), "NaN"),
        (np.full((8, 8, 3), 300.0), "expected \\[0, 1\\]"),
        (np.zeros((8, 8, 3), complex), "must hold integers"),
        (np.full((8, 8, 3), 256), r"must be in \[0, 255\], got 256 to 256"),
        (torch.full((3, 8, 8), -1, dtype=torch.int32), r"must be in \[0, 255\], got -1 to -1"),
        (np.zeros((0, 8, 3), np.float32), "has no pixels"),
    ],
)
def test_unreadable_images_are_explained(image, message):
    with pytest.raises(InvalidInput, match=message):
        LightGlueImageProcessorFast()([PAIR[0], image])


# --- Lists of images ---


def shape_of(images, **options) -> tuple[int, ...]:
    processor = SuperPointImageProcessorFast(size={"height": 6, "width": 8})
    return tuple(processor(images, return_tensors="pt", **options).pixel_values.shape)


def test_images_lists_batches_and_nested_lists():
    image = PAIR[0]
    array = np.asarray(image)
    assert shape_of(image) == (1, 3, 6, 8)
    assert shape_of([image, array, torch.from_numpy(array.copy())]) == (3, 3, 6, 8)
    assert shape_of((image, image)) == (2, 3, 6, 8)
    assert shape_of(np.stack([array] * 3)) == (3, 3, 6, 8)
    assert shape_of(torch.zeros(4, 3, 30, 40)) == (4, 3, 6, 8)
    assert shape_of([[image, image], [np.stack([array] * 2)]]) == (4, 3, 6, 8)
    assert shape_of(encoded(image)) == (1, 3, 6, 8)


@pytest.mark.parametrize(
    ("images", "kind", "message"),
    [
        (None, TypeError, "^images must be an image, a list of images, or a batch .*; got NoneType$"),
        ([PAIR[0], 3], TypeError, "got int$"),
        ({"a": PAIR[0]}, TypeError, "got dict$"),
        ([], ValueError, "got none$"),
        ([[]], ValueError, "got none$"),
        (np.zeros((8, 8), np.uint8), ValueError, r"got ndarray of shape \(8, 8\), uint8$"),
        (torch.zeros(1, 2, 3, 8, 8), ValueError, r"got Tensor of shape \(1, 2, 3, 8, 8\)"),
    ],
)
def test_other_lists_are_rejected(images, kind, message):
    with pytest.raises(kind, match=message) as caught:
        SuperPointImageProcessorFast()(images)
    assert isinstance(caught.value, InvalidInput)


# --- load_image ---


def test_load_image_returns_upright_rgb(tmp_path):
    image = random_image(40, 30)
    exif = PIL.Image.Exif()
    exif[274] = 6  # rotate by 90 degrees
    image.save(tmp_path / "a.png", exif=exif)
    upright = np.rot90(np.asarray(image), -1)
    stored = PIL.Image.open(tmp_path / "a.png")
    text = base64.b64encode((tmp_path / "a.png").read_bytes()).decode()
    for source in (
        str(tmp_path / "a.png"),
        tmp_path / "a.png",
        stored,
        text,
        f"data:image/png;base64,{text}",
    ):
        loaded = load_image(source)
        assert isinstance(loaded, PIL.Image.Image)
        assert loaded.mode == "RGB"
        assert np.array_equal(np.asarray(loaded), upright)
    assert load_image(image.convert("L")).mode == "RGB"


@pytest.mark.parametrize("source", [None, 3, np.zeros((8, 8, 3), np.uint8), b"abc"])
def test_load_image_rejects_other_types(source):
    with pytest.raises(TypeError, match="expected a path, URL, base64 text or PIL image, got ") as caught:
        load_image(source)
    assert isinstance(caught.value, InvalidInput)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("photos/image", "image not found: 'photos/image'"),
        ("AAAA", "image not found: 'AAAA'"),
        ("A" * 400, "the data: URL is not in a supported image format"),
        ("a.jpg" * 100, "invalid base64"),
        ("http://127.0.0.1:9/a.jpg", "cannot download 'http://127.0.0.1:9/a.jpg'"),
    ],
    ids=["path", "short base64", "base64", "text", "URL"],
)
def test_load_image_explains_in_one_line(source, message):
    with pytest.raises(InvalidInput, match=message) as caught:
        load_image(source)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_timeout_of_a_server_that_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.jpg"
        with pytest.raises(InvalidInput, match=r"timeout of 0\.05 s exceeded"):
            load_image(url, timeout=0.05)
