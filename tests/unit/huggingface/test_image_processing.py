"""Both image processors: forms of input, sizes, padding, settings, post-processing, pictures, bad input."""

import io
import json
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
import torch
from torch import Tensor

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.huggingface.image_processing import (
    AutoImageProcessor,
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
    LightGlueImageProcessorPil,
)
from tiepoint.image import read_image

BOTH = pytest.mark.parametrize(
    "processor", [LightGlueImageProcessor(), LightGlueImageProcessorFast()], ids=["plain", "fast"]
)
RNG = np.random.default_rng(0)


def picture(width: int = 40, height: int = 30, mode: str = "RGB") -> PIL.Image.Image:
    return PIL.Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)


PAIR = [picture(), picture()]


# --- what comes out


@BOTH
def test_a_pair_and_a_list_of_pairs(processor):
    one, two = (processor(images, return_tensors="pt").pixel_values for images in (PAIR, [PAIR, PAIR[::-1]]))
    assert one.shape == (1, 2, 3, 480, 640)
    assert one.dtype == torch.float32
    assert 0 <= one.min() < one.max() <= 1
    assert two.shape == (2, 2, 3, 480, 640)
    assert torch.equal(two[0], one[0])
    assert torch.equal(two[1], one[0].flip(0))


@BOTH
def test_gray_is_three_equal_channels_by_the_weights(processor):
    color = processor(PAIR, return_tensors="np", do_grayscale=False).pixel_values
    gray = processor(PAIR, return_tensors="np").pixel_values
    expected = 0.2989 * color[:, :, 0] + 0.5870 * color[:, :, 1] + 0.1140 * color[:, :, 2]
    assert np.allclose(gray, expected[:, :, None], atol=1e-6)


@BOTH
def test_a_gray_image_keeps_its_brightness(processor):
    white = PIL.Image.new("L", (8, 8), 255)
    pixels = processor([white, PAIR[0]], return_tensors="pt").pixel_values
    assert bool((pixels[0, 0] == 1).all())


@BOTH
def test_kinds_of_return(processor):
    arrays = processor(PAIR, return_tensors="np").pixel_values
    lists = processor(PAIR).pixel_values
    assert isinstance(arrays, np.ndarray)
    assert isinstance(lists, list)
    assert isinstance(lists[0], np.ndarray if processor.backend == "pil" else Tensor)
    assert np.array_equal(np.stack([np.asarray(item) for item in lists]), arrays)
    with pytest.raises(InvalidInput, match="return_tensors must be 'pt', 'np' or None, but is 'tf'"):
        processor(PAIR, return_tensors="tf")


@BOTH
def test_settings_of_one_call_leave_the_processor_alone(processor):
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


def test_features_are_a_dict_with_attributes_that_moves():
    features = LightGlueImageProcessorFast(do_resize=False)(
        [picture(9, 8), picture(7, 8)], return_tensors="pt"
    )
    assert dict(**features).keys() == {"pixel_values", "image_sizes"}
    moved = features.to(torch.float16)
    assert (moved.pixel_values.dtype, moved.image_sizes.dtype) == (torch.float16, torch.int64)
    assert moved is features
    assert {value.device.type for value in features.to("meta").values()} == {"meta"}
    with pytest.raises(AttributeError, match="no 'labels', it has pixel_values, image_sizes"):
        _ = features.labels


# --- what goes in


def png_file(folder) -> str:
    PAIR[0].save(folder / "a picture.png")
    return str(folder / "a picture.png")


@BOTH
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
        "float of 0 to 255",
    ],
)
def test_every_accepted_form_gives_the_same_pixels(processor, form, tmp_path):
    expected = processor(PAIR, return_tensors="pt", do_resize=False).pixel_values
    mixed = [form(PAIR[0], tmp_path), PAIR[1]]
    for pairs in (mixed, tuple(mixed), [mixed], [tuple(mixed)]):
        assert torch.allclose(
            processor(pairs, return_tensors="pt", do_resize=False).pixel_values, expected, atol=1e-6
        )


@BOTH
def test_floating_point_in_the_unit_range_counts_as_rescaled(processor):
    values = RNG.random((3, 30, 40), dtype=np.float32)
    options = {"return_tensors": "np", "do_resize": False, "do_grayscale": False}
    assert np.allclose(processor([values, values], **options).pixel_values[0, 0], values, atol=1e-7)
    unscaled = processor([values, values], do_rescale=False, **options).pixel_values[0, 0]
    assert np.array_equal(unscaled, values)
    resized = processor([values, values], return_tensors="np", size=(15, 20)).pixel_values
    assert 0.3 < resized.min() < resized.max() < 0.7  # averages of four


@BOTH
def test_images_of_one_channel(processor):
    gray = RNG.integers(0, 256, (30, 40), dtype=np.uint8)
    forms = [PIL.Image.fromarray(gray), gray[..., None], gray[None], torch.from_numpy(gray)[None]]
    outcomes = [processor([form, form], return_tensors="pt").pixel_values for form in forms]
    assert outcomes[0].shape == (1, 2, 3, 480, 640)
    assert all(torch.equal(outcome, outcomes[0]) for outcome in outcomes)


def test_the_axis_of_the_channels_can_be_said():
    array = RNG.integers(0, 256, (3, 20, 3), dtype=np.uint8)
    shapes = [
        LightGlueImageProcessor(do_resize=False)(
            [array, array], return_tensors="pt", **options
        ).pixel_values.shape
        for options in ({}, {"input_data_format": "channels_last"})
    ]
    assert shapes == [(1, 2, 3, 20, 3), (1, 2, 3, 3, 20)]
    with pytest.raises(InvalidInput, match="input_data_format must be one of channels_first, channels_last"):
        LightGlueImageProcessor()([array, array], input_data_format="chw")


def test_pil_images_keep_the_size_that_they_say_and_files_are_turned_upright(tmp_path):
    exif = PIL.Image.Exif()
    exif[274] = 6  # turn by 90 degrees
    stream = io.BytesIO()
    picture(40, 30).save(stream, "JPEG", exif=exif, quality=95)
    (tmp_path / "a.jpg").write_bytes(stream.getvalue())
    stored = PIL.Image.open(tmp_path / "a.jpg")
    processor = LightGlueImageProcessor(do_resize=False)
    as_stored = processor([stored, stored], return_tensors="pt").pixel_values
    upright = processor([tmp_path / "a.jpg"] * 2, return_tensors="pt").pixel_values
    assert as_stored.shape[-2:] == (stored.height, stored.width) == (30, 40)
    assert torch.equal(upright, as_stored.rot90(-1, dims=(-2, -1)))
    assert stored.getexif()[274] == 6


ACCEPTED = "^Input images must be a one of the following : - A pair of PIL images. - A pair of 3D arrays."


@BOTH
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
def test_other_forms_are_refused_with_the_list_of_the_accepted(processor, images):
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
        (np.full((8, 8, 3), 300.0), "but \\[0, 1\\] was expected"),
        (np.zeros((8, 8, 3), np.int64), "must be uint8"),
        (np.zeros((0, 8, 3), np.float32), "has no pixels"),
    ],
)
def test_an_image_that_can_not_be_read_says_why(image, message):
    with pytest.raises(InvalidInput, match=message):
        LightGlueImageProcessorFast()([PAIR[0], image])


# --- sizes


@BOTH
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
def test_sizes_of_a_100_x_40_image(processor, size, shape):
    for image_size, expected in (((100, 40), shape), ((40, 100), shape[::-1])):
        if size in ({"height": 20, "width": 70}, (20, 70)):
            expected = shape
        elif "max_height" in (size if isinstance(size, dict) else {}) and image_size == (40, 100):
            continue
        features = processor([picture(*image_size)] * 2, return_tensors="pt", size=size)
        assert features.pixel_values.shape[-2:] == expected
        assert "image_sizes" not in features


def test_a_thin_image_keeps_one_pixel_and_a_too_long_one_is_refused():
    thin = [picture(600, 1)] * 2
    processor = LightGlueImageProcessorFast()
    assert processor(thin, return_tensors="pt", size={"longest_edge": 60}).pixel_values.shape[-2:] == (1, 60)
    with pytest.raises(InvalidInput, match=r"would get .* px by size .*add 'longest_edge'"):
        processor(thin, size={"shortest_edge": 480})


@pytest.mark.parametrize(
    "size",
    [{}, {"height": 480}, {"width": 5, "longest_edge": 5}, {"longest_edge": 0}, {"longest_edge": 1.5}, {"longest_edge": 99_999},
     {"height": True, "width": 3}, "480x640", (480,), (480, 640, 3), 0, None],
    ids=str,
)  # fmt: skip
def test_other_sizes_are_refused(size):
    with pytest.raises(InvalidInput, match=r"size must be one of {height, width}, {longest_edge}, "):
        LightGlueImageProcessorFast(size=size)


@BOTH
def test_unequal_shapes_are_padded_below_and_on_the_right(processor):
    small, large = picture(40, 30), picture(50, 20)
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


# --- settings


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


def test_unknown_keys_of_a_file_are_kept_and_other_processors_refused(tmp_path):
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps({"do_normalize": None, "crop": [1, 2], "size": {"shortest_edge": 99}}))
    processor = AutoImageProcessor.from_pretrained(tmp_path, do_grayscale=False)
    assert (processor.size, processor.crop, processor.do_grayscale) == ({"shortest_edge": 99}, [1, 2], False)
    assert processor.to_dict()["crop"] == [1, 2]
    file.write_text(json.dumps({"image_processor_type": "CLIPImageProcessor"}))
    with pytest.raises(InvalidInput, match="settings of 'CLIPImageProcessor'"):
        AutoImageProcessor.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, LightGlueImageProcessorFast),
        ({"use_fast": True}, LightGlueImageProcessorFast),
        ({"use_fast": False}, LightGlueImageProcessor),
        ({"backend": "auto"}, LightGlueImageProcessorFast),
        ({"backend": "torchvision"}, LightGlueImageProcessorFast),
        ({"backend": "pil"}, LightGlueImageProcessorPil),
        ({"backend": "pil", "use_fast": False}, LightGlueImageProcessor),
    ],
    ids=str,
)
def test_auto_image_processor_picks(options, expected):
    processor = AutoImageProcessor.from_pretrained("aliked+lightglue", local_files_only=True, **options)
    assert type(processor) is expected
    assert (processor.size, processor.do_grayscale) == ({"longest_edge": 1024}, False)


def test_auto_image_processor_refuses(tmp_path):
    with pytest.raises(InvalidInput, match="use_fast=True contradicts backend='pil'"):
        AutoImageProcessor.from_pretrained("disk+lightglue", use_fast=True, backend="pil")
    with pytest.raises(InvalidInput, match="backend must be one of auto, torch, torchvision, pil"):
        AutoImageProcessor.from_pretrained("disk+lightglue", backend="cv2")
    with pytest.raises(InvalidInput, match="from_pretrained"):
        AutoImageProcessor()
    with pytest.raises(WeightsError, match=r"no file preprocessor_config.json, it holds nothing"):
        AutoImageProcessor.from_pretrained(tmp_path)
    with pytest.raises(InvalidInput, match="neither a folder on this machine nor the name of a repository"):
        AutoImageProcessor.from_pretrained("alike+lightglue")


def test_filters():
    plain = LightGlueImageProcessor(resample=PIL.Image.Resampling.LANCZOS)
    assert plain(PAIR, return_tensors="pt").pixel_values.shape == (1, 2, 3, 480, 640)
    with pytest.raises(
        InvalidInput, match=r"resample must be one of 0 \(nearest-exact\), 2 \(bilinear\), 3 \(bicubic\)"
    ):
        LightGlueImageProcessorFast(resample=1)(PAIR)
    with pytest.raises(InvalidInput, match=r"resample must be one of 0 \(nearest\)"):
        LightGlueImageProcessor(resample=9)(PAIR)
    with pytest.raises(InvalidInput, match="do_resize must be bool"):
        LightGlueImageProcessor(do_resize="yes")


# --- post-processing


def outputs(sizes: list | None = None) -> SimpleNamespace:
    """Two pairs: pair 0 matches 0-1 (0.9), 1-0 (0.5), 2 has none; pair 1 has one keypoint a side, padded with -1 and 0."""
    return SimpleNamespace(
        matches=torch.tensor([[[1, 0, -1], [1, 0, -1]], [[0, -1, 0], [0, -1, -1]]]),
        matching_scores=torch.tensor(
            [[[0.9, 0.5, 0.0], [0.5, 0.9, 0.0]], [[0.2, 0.0, 0.9], [0.2, 0.0, 0.0]]]
        ),
        keypoints=torch.tensor(
            [
                [[[0.0, 0.0], [0.5, 0.25], [0.9, 0.9]], [[0.25, 0.75], [0.5, 0.5], [0.0, 0.0]]],
                [[[0.75, 0.5], [0.0, 0.0], [0.0, 0.0]], [[0.1, 0.2], [0.0, 0.0], [0.0, 0.0]]],
            ]
        ),
        mask=torch.tensor([[[1, 1, 1], [1, 1, 0]], [[1, 0, 0], [1, 0, 0]]]),
        **({} if sizes is None else {"image_sizes": torch.tensor(sizes)}),
    )


TARGETS = [[(400, 1000), (400, 1000)], [(480, 640), (960, 1280)]]
PROCESSED = [[[480, 640], [480, 640]], [[480, 640], [480, 640]]]


@BOTH
@pytest.mark.parametrize(
    "form", [list, torch.tensor, np.array, lambda sizes: [tuple(pair) for pair in sizes]]
)
def test_matches_come_back_in_pixels_of_the_originals(processor, form):
    first, second = processor.post_process_keypoint_matching(outputs(PROCESSED), form(TARGETS))
    # x W0 + (W0 / W - 1) / 2: half a pixel of the processed image is W0 / W / 2 = 0.78125 px of the original
    x, y = (1000 / 640 - 1) / 2, (400 / 480 - 1) / 2
    assert torch.allclose(first["keypoints0"], torch.tensor([[x, y], [500 + x, 100 + y]]), atol=1e-4)
    assert torch.allclose(
        first["keypoints1"], torch.tensor([[500 + x, 200 + y], [250 + x, 300 + y]]), atol=1e-4
    )
    assert torch.equal(first["matching_scores"], torch.tensor([0.9, 0.5]))
    assert torch.allclose(second["keypoints0"], torch.tensor([[480.0, 240.0]]))
    assert torch.allclose(second["keypoints1"], torch.tensor([[128.5, 192.5]]))
    assert all(value.dtype == torch.float32 for value in first.values())


def test_outputs_without_processed_sizes_are_only_scaled():
    first, second = LightGlueImageProcessor().post_process_keypoint_matching(outputs(), TARGETS)
    assert torch.allclose(first["keypoints0"], torch.tensor([[0.0, 0.0], [500.0, 100.0]]))
    assert torch.allclose(second["keypoints1"], torch.tensor([[128.0, 192.0]]))


@pytest.mark.parametrize(
    ("threshold", "counts"), [(0.0, [2, 1]), (0.2, [2, 0]), (0.5, [1, 0]), (0.49, [2, 0]), (1.0, [0, 0])]
)
def test_scores_must_be_above_the_threshold(threshold, counts):
    scored = outputs(PROCESSED)
    scored.matching_scores = scored.matching_scores.double().mul(10).round().div(10)
    found = LightGlueImageProcessor().post_process_keypoint_matching(scored, TARGETS, threshold=threshold)
    assert [len(pair["matching_scores"]) for pair in found] == counts
    assert [tuple(pair["keypoints1"].shape) for pair in found] == [(count, 2) for count in counts]


def test_results_can_go_to_numpy_also_from_a_half_precision_output_with_gradients():
    made = outputs(PROCESSED)
    made.matching_scores = made.matching_scores.bfloat16().requires_grad_()
    made.keypoints.requires_grad_()
    first, _ = LightGlueImageProcessor().post_process_keypoint_matching(made, TARGETS)
    assert all(value.numpy().dtype == np.float32 for value in first.values())


COUNT = "^Make sure that you pass in as many target sizes as the batch dimension of the mask"
FORM = r"^Each element of target_sizes must contain the size \(h, w\) of each image of the batch"


@BOTH
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([], COUNT),
        (TARGETS[:1], COUNT),
        (TARGETS * 2, COUNT),
        (torch.ones(3, 2, 2), COUNT),
        ([(480, 640), (480, 640)], FORM),
        ([[(480, 640)], [(480, 640)]], FORM),
        ([[(480, 640)] * 3, [(480, 640)] * 3], FORM),
        ([[(480, 640, 3)] * 2] * 2, FORM),
        ([[(480, 0)] * 2] * 2, FORM),
        ([[(480, None)] * 2] * 2, FORM),
        (torch.ones(2, 2), FORM),
        (torch.ones(2, 2, 3), FORM),
        (torch.ones(2, 3, 2), FORM),
        (None, FORM),
        (480, FORM),
        ("ab", FORM),
    ],
    ids=str,
)
def test_wrong_target_sizes_are_refused(processor, sizes, message):
    for error in (InvalidInput, ValueError):
        with pytest.raises(error, match=message) as caught:
            processor.post_process_keypoint_matching(outputs(PROCESSED), sizes)
        assert "\n" not in str(caught.value)


# --- pictures


def matches(points0: list, points1: list, scores: list[float]) -> dict[str, Tensor]:
    return {
        "keypoints0": torch.tensor(points0).reshape(-1, 2),
        "keypoints1": torch.tensor(points1).reshape(-1, 2),
        "matching_scores": torch.tensor(scores),
    }


@BOTH
def test_pairs_are_drawn_side_by_side(processor):
    white, gray = PIL.Image.new("RGB", (60, 40), "white"), np.full((20, 50, 1), 100, np.uint8)
    good = matches([[10.4, 10.0]], [[30.0, 9.6]], [1.0])
    bad = matches([[10.0, 30.0]], [[30.0, 15.0]], [0.0])
    first, second = processor.visualize_keypoint_matching([[white, gray], [white, gray]], [good, bad])
    assert (first.size, first.mode) == ((110, 40), "RGB")
    assert first.getpixel((100, 30)) == (0, 0, 0)  # no image there
    assert first.getpixel((100, 3)) == (100, 100, 100)
    assert [first.getpixel((x, 10)) for x in (10, 12, 90, 88)] == [(0, 0, 0)] * 4
    assert [first.getpixel((50, y)) for y in (8, 9, 10, 11, 12)] == [
        (255, 255, 255),
        *[(0, 255, 0)] * 3,
        (255, 255, 255),
    ]
    assert (255, 0, 0) in {second.getpixel((50, y)) for y in range(40)}


def test_no_matches_give_the_bare_pair_and_a_wrong_number_is_refused():
    processor = LightGlueImageProcessor()
    (bare,) = processor.visualize_keypoint_matching(PAIR, [matches([], [], [])])
    assert np.array_equal(np.asarray(bare), np.hstack([np.asarray(image) for image in PAIR]))
    with pytest.raises(InvalidInput, match="1 pairs of images, but matches of 2"):
        processor.visualize_keypoint_matching(PAIR, [matches([], [], [])] * 2)
    with pytest.raises(InvalidInput, match=ACCEPTED):
        processor.visualize_keypoint_matching(PAIR[0], [matches([], [], [])])
