"""The image processors against those of transformers: equal where these are right; their errors are demonstrated."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
import transformers
from torch import Tensor
from transformers.models.lightglue.image_processing_lightglue import LightGlueImageProcessor as TheirFast
from transformers.models.lightglue.image_processing_pil_lightglue import (
    LightGlueImageProcessorPil as TheirPil,
)
from transformers.models.superpoint.image_processing_pil_superpoint import (
    SuperPointImageProcessorPil as TheirSinglePil,
)
from transformers.models.superpoint.image_processing_superpoint import (
    SuperPointImageProcessor as TheirSingleFast,
)

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import (
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
    SuperPointImageProcessor,
    SuperPointImageProcessorFast,
)

PROCESSORS = {
    "pil": (LightGlueImageProcessor, TheirPil, 1e-6),
    "fast": (LightGlueImageProcessorFast, TheirFast, 2 / 255),
}
SINGLE_PROCESSORS = {
    "pil": (SuperPointImageProcessor, TheirSinglePil, 1e-6),
    "fast": (SuperPointImageProcessorFast, TheirSingleFast, 2 / 255),
}
BOTH = pytest.mark.parametrize("kind", PROCESSORS)

Images = list[PIL.Image.Image]


@pytest.fixture(scope="module")
def photos(shared_data: Path) -> Images:
    """The official repository's images of the Sacré-Cœur, 1000 px high."""
    folder = shared_data / "lightglue_assets"
    return [PIL.Image.open(folder / f"sacre_coeur{number}.jpg").convert("RGB") for number in (1, 2)]


def cropped(width: int, height: int) -> Callable[[Images], Images]:
    return lambda photos: [
        photo.resize((width, height), box=(3, 5, 3 + width // 2, 5 + height // 2)) for photo in photos
    ]


IMAGES: dict[str, Callable[[Images], list]] = {
    "original": lambda photos: photos,
    "odd sizes": cropped(333, 517),
    "wide": cropped(1000, 400),
    "very thin": cropped(901, 37),
    "enlarged": cropped(77, 51),
    "gray PIL": lambda photos: [photo.convert("L") for photo in photos],
    "gray as RGB": lambda photos: [photo.convert("L").convert("RGB") for photo in photos],
    "channels first": lambda photos: [np.array(photo).transpose(2, 0, 1) for photo in photos],
    "tensors": lambda photos: [torch.from_numpy(np.array(photo)).permute(2, 0, 1) for photo in photos],
    "two pairs": lambda photos: [photos, photos[::-1]],
}


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Return the maximum difference; transformers keeps one channel for grayscale images, tiepoint three equal ones."""
    assert ours.shape[2] == 3
    assert ours.shape == (*theirs.shape[:2], 3, *theirs.shape[3:])
    return float((ours - theirs).abs().max())


@BOTH
@pytest.mark.parametrize("images", IMAGES)
def test_pixels_are_equal(kind, images, photos):
    ours, theirs, tolerance = PROCESSORS[kind]
    given = IMAGES[images](list(photos))
    pixels = ours()(given, return_tensors="pt").pixel_values
    assert difference(pixels, theirs()(given, return_tensors="pt").pixel_values) <= tolerance
    assert pixels.std() > 0.05


@BOTH
@pytest.mark.parametrize(
    "options",
    [
        {"do_grayscale": False},
        {"resample": 3},
        {"resample": 0},
        {"size": {"height": 123, "width": 321}},
        {"size": {"shortest_edge": 301}},
        {"size": {"max_height": 300, "max_width": 290}},
        {"rescale_factor": 1 / 127.5},
        {"do_resize": False},
    ],
    ids=str,
)
def test_pixels_are_equal_with_other_settings(kind, options, photos):
    ours, theirs, tolerance = PROCESSORS[kind]
    images = cropped(640, 427)(photos)
    theirs_pixels = theirs()(images, return_tensors="pt", **options).pixel_values
    assert (
        difference(ours()(images, return_tensors="pt", **options).pixel_values, theirs_pixels)
        <= 2 * tolerance
    )


@BOTH
def test_settings_files_load_in_both(kind, tmp_path):
    ours, theirs, _ = PROCESSORS[kind]
    ours(size={"height": 96, "width": 128}, do_grayscale=False).save_pretrained(tmp_path / "ours")
    loaded = theirs.from_pretrained(tmp_path / "ours")
    assert (dict(loaded.size), loaded.do_grayscale, loaded.resample) == (
        {"height": 96, "width": 128},
        False,
        2,
    )
    loaded.save_pretrained(tmp_path / "theirs")
    assert ours.from_pretrained(tmp_path / "theirs") == ours.from_pretrained(tmp_path / "ours")


@BOTH
@pytest.mark.parametrize("options", [{}, {"do_grayscale": True}, {"size": {"shortest_edge": 301}}], ids=str)
def test_pixels_of_single_images_are_equal(kind, options, photos):
    ours, theirs, tolerance = SINGLE_PROCESSORS[kind]
    for images in (photos[0], cropped(640, 427)(photos)):
        pixels = ours()(images, return_tensors="pt", **options).pixel_values
        their_pixels = theirs()(images, return_tensors="pt", **options).pixel_values
        assert pixels.shape == their_pixels.shape
        assert float((pixels - their_pixels).abs().max()) <= tolerance
        assert pixels.std() > 0.05


@BOTH
def test_settings_files_of_single_images_load_in_both(kind, tmp_path):
    ours, theirs, _ = SINGLE_PROCESSORS[kind]
    ours(size={"height": 96, "width": 128}, do_grayscale=True).save_pretrained(tmp_path / "ours")
    loaded = theirs.from_pretrained(tmp_path / "ours")
    loaded.save_pretrained(tmp_path / "theirs")
    assert (dict(loaded.size), loaded.do_grayscale) == ({"height": 96, "width": 128}, True)
    assert ours.from_pretrained(tmp_path / "theirs") == ours.from_pretrained(tmp_path / "ours")
    assert transformers.AutoImageProcessor.from_pretrained(tmp_path / "ours").do_grayscale is True


def random_outputs(count: int = 50) -> SimpleNamespace:
    """Two pairs in the form of transformers' output, with integer pixels of a 640 x 480 image; the second one is padded."""
    generator = torch.Generator().manual_seed(0)
    real = torch.tensor([[count, count], [count - 20, count - 5]])
    mask = (torch.arange(count) < real[..., None]).int()
    pixels = torch.stack(
        [torch.randint(side, mask.shape, generator=generator) for side in (640, 480)], dim=-1
    )
    matches = torch.randint(-1, count - 5, mask.shape, generator=generator)
    return SimpleNamespace(
        matches=matches.where(mask > 0, -1),
        matching_scores=torch.rand(mask.shape, generator=generator) * mask,
        keypoints=pixels / torch.tensor([640.0, 480.0]) * mask[..., None],
        mask=mask,
    )


@BOTH
@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_post_processing_is_equal_up_to_truncation(kind, threshold):
    ours, theirs, _ = PROCESSORS[kind]
    outputs, sizes = random_outputs(), [[(480, 640), (480, 640)]] * 2
    expected = theirs().post_process_keypoint_matching(outputs, sizes, threshold=threshold)
    outputs.image_sizes = torch.tensor(sizes)
    found = ours().post_process_keypoint_matching(outputs, sizes, threshold=threshold)
    assert min(len(pair["matching_scores"]) for pair in found) > 5
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one["matching_scores"], other["matching_scores"])
        for name in ("keypoints0", "keypoints1"):
            truncated = one[name] - other[name]
            assert bool(((truncated > -1e-4) & (truncated < 1)).all())


@BOTH
def test_visualizations_are_equal(kind, photos):
    ours, theirs, _ = PROCESSORS[kind]
    points = torch.randint(5, 300, (2, 40, 2), generator=torch.Generator().manual_seed(1))
    matches = [
        {"keypoints0": points[0], "keypoints1": points[1], "matching_scores": torch.linspace(0, 1, 40)}
    ]
    expected = theirs().visualize_keypoint_matching(photos, matches)
    assert np.array_equal(ours().visualize_keypoint_matching(photos, matches)[0], expected[0])


# --- Errors of transformers ---


def marked(width: int, height: int, x: int, y: int) -> PIL.Image.Image:
    """Return a black image with one white pixel."""
    array = np.zeros((height, width, 3), np.uint8)
    array[y, x] = 255
    return PIL.Image.fromarray(array)


def output_at(position: tuple[int, int], shape: tuple[int, int]) -> SimpleNamespace:
    """Return a model output with one keypoint, at pixel (x, y) of both images of shape (height, width)."""
    relative = torch.tensor([[position[0] / shape[1], position[1] / shape[0]]])
    ones = torch.ones(1, 2, 1)
    return SimpleNamespace(
        matches=torch.zeros(1, 2, 1, dtype=torch.long),
        matching_scores=ones,
        keypoints=relative.expand(1, 2, 1, 2),
        mask=ones.int(),
    )


@BOTH
def test_white_pixels_are_mapped_back_without_bias(kind):
    """Columns of one period of the two grids (25 px become 16): our positions are unbiased, theirs are shifted left.

    Half a pixel of the processed image is 0.78 px of the original, of which 0.5 px is the original's own half pixel;
    transformers ignores the remaining 0.28 px, and truncates fractions of 0.47 px on average.
    """
    ours, theirs, _ = PROCESSORS[kind]
    size = {"height": 120, "width": 160}
    columns = range(100, 125)
    errors = [_error(ours(size=size), x, [[120, 160]] * 2) for x in columns]
    their_errors = [_error(theirs(size=size), x, None) for x in columns]
    assert abs(np.mean(errors)) < 0.05
    assert np.abs(errors).max() <= 0.79
    assert np.mean(their_errors) == pytest.approx(-0.28 - 0.47, abs=0.05)


def _error(processor: Any, x: int, image_sizes: list | None) -> float:
    """Return the error of the mapped-back column of a white pixel, the brightest pixel of the processed image."""
    image = marked(250, 100, x, 50)
    pixels = processor([image, image], return_tensors="pt").pixel_values
    row, column = divmod(int(pixels[0, 0, 0].argmax()), 160)
    outputs = output_at((column, row), (120, 160))
    if image_sizes is not None:
        outputs.image_sizes = torch.tensor([image_sizes])
    (matches,) = processor.post_process_keypoint_matching(outputs, [[(100, 250)] * 2])
    return float(matches["keypoints0"][0, 0]) - x


def test_subpixel_positions_are_kept():
    """The center of processed pixel 100 of 640 is at 200.5 of 1280; transformers returns 200."""
    outputs = output_at((100, 50), (480, 640))
    (theirs,) = TheirFast().post_process_keypoint_matching(outputs, [[(960, 1280)] * 2])
    assert theirs["keypoints0"].tolist() == [[200, 100]]
    outputs.image_sizes = torch.tensor([[[480, 640]] * 2])
    (ours,) = LightGlueImageProcessorFast().post_process_keypoint_matching(outputs, [[(960, 1280)] * 2])
    assert ours["keypoints0"].tolist() == [[200.5, 100.5]]


def test_keypoints_of_single_images_keep_subpixel_positions():
    """The center of processed pixel 100 of 640 is at 200.5 of 1280, also where only keypoints are detected."""
    outputs = SimpleNamespace(
        keypoints=torch.tensor([[[100 / 640, 50 / 480]]]),
        scores=torch.ones(1, 1),
        descriptors=torch.ones(1, 1, 4),
        mask=torch.ones(1, 1, dtype=torch.int),
    )
    (theirs,) = TheirSingleFast().post_process_keypoint_detection(outputs, [(960, 1280)])
    assert theirs["keypoints"].tolist() == [[200, 100]]
    outputs.image_sizes = torch.tensor([[480, 640]])
    (ours,) = SuperPointImageProcessorFast().post_process_keypoint_detection(outputs, [(960, 1280)])
    assert ours["keypoints"].tolist() == [[200.5, 100.5]]


def test_fractions_are_not_truncated():
    """A keypoint at 0.75 px: transformers shifts it by 0.75 px."""
    outputs = output_at((0, 0), (480, 640))
    outputs.keypoints = torch.tensor([10.75 / 640, 20.75 / 480]).expand(1, 2, 1, 2)
    (theirs,) = TheirPil().post_process_keypoint_matching(outputs, [[(480, 640)] * 2])
    (ours,) = LightGlueImageProcessor().post_process_keypoint_matching(outputs, [[(480, 640)] * 2])
    assert theirs["keypoints0"].tolist() == [[10, 20]]
    assert torch.allclose(ours["keypoints0"], torch.tensor([[10.75, 20.75]]), atol=1e-4)


@BOTH
def test_aspect_ratio_can_be_kept(kind):
    """A square in a wide image stays a square; transformers does not support the longest edge."""
    ours, theirs, _ = PROCESSORS[kind]
    array = np.zeros((400, 1000, 3), np.uint8)
    array[100:300, 400:600] = 255
    pair = [PIL.Image.fromarray(array)] * 2
    sides = [_sides(processor(pair, return_tensors="pt").pixel_values) for processor in (theirs(), ours())]
    assert sides == [(240, 128), (240, 128)]  # equal by default: 480 / 400 and 640 / 1000
    assert _sides(ours()(pair, return_tensors="pt", size={"longest_edge": 500}).pixel_values) == (100, 100)
    with pytest.raises(ValueError, match="Size must contain 'height' and 'width' keys"):
        theirs()(pair, return_tensors="pt", size={"longest_edge": 500})


def _sides(pixels: Tensor) -> tuple[int, int]:
    white = pixels[0, 0, 0] > 0.5
    return int(white.any(dim=1).sum()), int(white.any(dim=0).sum())


@BOTH
def test_images_of_different_sizes_are_padded(kind):
    ours, theirs, _ = PROCESSORS[kind]
    pair = [marked(40, 30, 1, 1), marked(50, 20, 1, 1)]
    with pytest.raises((RuntimeError, ValueError)) as caught:
        theirs()(pair, return_tensors="pt", do_resize=False)
    assert not isinstance(caught.value, InvalidInput)
    features = ours()(pair, return_tensors="pt", do_resize=False)
    assert features.pixel_values.shape == (1, 2, 3, 30, 50)
    assert features.image_sizes.tolist() == [[[30, 40], [20, 50]]]


def test_sizes_that_keep_the_aspect_ratio_use_integer_arithmetic():
    """1 / 49 * 49 is less than 1 in floating point: transformers resizes to an empty image, and fails."""
    image = PIL.Image.new("RGB", (49, 49))
    size = {"max_height": 1, "max_width": 1}
    ours = LightGlueImageProcessorFast(size=size)([image, image], return_tensors="pt", do_grayscale=False)
    assert ours.pixel_values.shape[-2:] == (1, 1)
    with pytest.raises(Exception, match=r"(?i)size|zero|0"):
        TheirFast(size=size)([image, image], return_tensors="pt")
