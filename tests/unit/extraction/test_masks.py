"""Masks from everything that may be one; what becomes of them on the way to the network."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import PIL.Image
import pytest
import torch
from cv2 import pointPolygonTest

from tiepoint.errors import InvalidInput
from tiepoint.extraction.masks import (
    allowed_at,
    exclude_border,
    fill_polygons,
    mask_digest,
    read_mask,
    resize_mask,
)
from tiepoint.image import Image, ImageTransform

IMAGE = Image(pixels=torch.zeros(3, 6, 8, dtype=torch.uint8))
EXPECTED = torch.zeros(6, 8, dtype=torch.bool)
EXPECTED[1:4, 2:7] = True
ORIENTATION = 0x0112


def raster(value: int = 255) -> np.ndarray:
    return EXPECTED.numpy().astype(np.uint8) * value


@pytest.mark.parametrize(
    "source",
    [
        raster(),
        raster(1),
        EXPECTED.numpy(),
        raster().astype(np.int64) - 0,
        raster().astype(np.float32) / 1000,
        EXPECTED,
        EXPECTED.float(),
        PIL.Image.fromarray(raster(1)),
        PIL.Image.fromarray(raster()).convert("1"),
        PIL.Image.fromarray(np.stack([raster(0), raster(3), raster(0)], axis=2)),
        [[(1.5, 0.5), (6.5, 0.5), (6.5, 3.5), (1.5, 3.5)]],
        [np.array([[1.5, 0.5], [6.5, 0.5], [6.5, 3.5], [1.5, 3.5]])],
        [
            [(1.5, 0.5), (4.5, 0.5), (4.5, 3.5), (1.5, 3.5)],
            [(4, 0.5), (6.5, 0.5), (6.5, 3.5), (4, 3.5)],
        ],
    ],
    ids=[
        *("bytes", "ones", "bool", "int64", "float", "tensor", "float tensor"),
        *("PIL L", "PIL 1", "PIL dark green", "polygon", "polygon as array", "two polygons"),
    ],
)
def test_sources(source: Any) -> None:
    mask = read_mask(source, IMAGE)
    assert mask.dtype == torch.bool
    assert torch.equal(mask, EXPECTED)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
@pytest.mark.parametrize("value", [1, 255])
def test_files_allow_what_is_not_black(tmp_path: Path, suffix: str, value: int) -> None:
    path = tmp_path / f"mask{suffix}"
    PIL.Image.fromarray(raster(value)).save(path)
    assert torch.equal(read_mask(path, IMAGE), EXPECTED)
    assert torch.equal(read_mask(str(path), IMAGE), EXPECTED)


def test_a_jpeg_is_cut_at_mid_gray_because_its_black_is_not_black(tmp_path: Path) -> None:
    allowed = torch.zeros(64, 64, dtype=torch.bool)
    allowed[10:31, 20:50] = True
    path = tmp_path / "mask.JPG"
    PIL.Image.fromarray(allowed.numpy().astype(np.uint8) * 255).save(path, quality=40)
    assert int((np.asarray(PIL.Image.open(path)) > 0).sum()) > int(allowed.sum()) + 50
    image = Image(pixels=torch.zeros(3, 64, 64, dtype=torch.uint8))
    assert torch.equal(read_mask(path, image), allowed)
    with PIL.Image.open(path) as opened:
        assert torch.equal(read_mask(opened, image), allowed)


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [(3, PIL.Image.Transpose.ROTATE_180), (6, PIL.Image.Transpose.ROTATE_90)],
)
def test_a_file_with_an_orientation_of_its_own_is_turned_upright(
    tmp_path: Path, orientation: int, stored: PIL.Image.Transpose
) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    PIL.Image.fromarray(raster()).transpose(stored).save(tmp_path / "mask.png", exif=exif)
    assert torch.equal(read_mask(tmp_path / "mask.png", IMAGE), EXPECTED)


def test_polygons_from_a_json_file(tmp_path: Path) -> None:
    path = tmp_path / "mask.json"
    path.write_text(json.dumps([[[1.5, 0.5], [6.5, 0.5], [6.5, 3.5], [1.5, 3.5]]]))
    assert torch.equal(read_mask(path, IMAGE), EXPECTED)


def test_no_polygon_forbids_everything() -> None:
    assert not read_mask([], IMAGE).any()


def one_line(source: Any, image: Image = IMAGE, monkeypatch: pytest.MonkeyPatch | None = None) -> str:
    with pytest.raises(InvalidInput) as error:
        read_mask(source, image, "mask0")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_another_size_is_an_error_that_names_both() -> None:
    message = one_line(np.ones((3, 4)))
    assert "mask0" in message
    assert "8 x 6 px" in message
    assert "4 x 3 px" in message


def test_a_mask_of_the_stored_raster_of_a_rotated_image_gets_a_hint() -> None:
    assert "rotate it upright" in one_line(np.ones((8, 6)), replace(IMAGE, exif_orientation=6))
    assert "rotate it" not in one_line(np.ones((8, 6)), replace(IMAGE, exif_orientation=3))


def test_arrays_of_three_dimensions_are_an_error() -> None:
    assert "mask0 must be an array (height, width)" in one_line(np.ones((6, 8, 3)))


@pytest.mark.parametrize("x", [-1e308, 1.1e9, 10**400])
def test_vertices_far_outside_are_an_error(x: float) -> None:
    message = one_line([[[x, 0], [-x, 10], [0, 5]]])
    assert message.startswith("invalid mask0: expected ")
    assert "polygon 0" in message


def test_an_edge_of_a_height_near_zero() -> None:
    assert read_mask([[[0, 0], [10, 1e-310], [10, 10], [0, 10]]], IMAGE)[1:].all()


def test_the_number_of_pixels_of_a_file_is_limited(tmp_path: Path) -> None:
    PIL.Image.new("L", (8, 6)).save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png", IMAGE, max_megapixels=1).shape == (6, 8)
    with pytest.raises(InvalidInput, match="exceeds the limit of 1e-05"):
        read_mask(tmp_path / "mask.png", IMAGE, max_megapixels=1e-5)


@pytest.mark.parametrize("source", [3, {1: 2}], ids=["number", "dict"])
def test_other_types_are_an_error(source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    assert "mask0 must be a path, a PIL image, an array (height, width) or a list" in one_line(source)


@pytest.mark.parametrize("content", [None, "[[1, 2", "{}", "3"])
def test_broken_polygon_files_are_an_error(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "mask.json"
    if content is not None:
        path.write_text(content)
    assert "mask0" in one_line(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    assert "not found" in one_line(tmp_path / "mask.png")


@pytest.mark.parametrize("mask", [None, torch.ones(6, 8, dtype=torch.bool)], ids=["without", "with"])
def test_the_border_is_forbidden(mask: torch.Tensor | None) -> None:
    allowed = exclude_border(mask, (8, 6), 2)
    assert allowed is not None
    assert allowed.nonzero().tolist() == [[y, x] for y in (2, 3) for x in (2, 3, 4, 5)]
    assert exclude_border(mask, (8, 6), 0) is mask


@pytest.mark.parametrize("border", [3, 4, 100])
def test_a_border_from_both_sides_may_leave_nothing(border: int) -> None:
    allowed = exclude_border(None, (8, 6), border)
    assert allowed is not None
    assert not allowed.any()


@pytest.mark.parametrize("resize", [1, 3, 7, 8, 9, 20, 40])
def test_a_resized_pixel_is_allowed_if_all_that_it_covers_is(resize: int) -> None:
    mask = torch.rand(9, 13, generator=torch.Generator().manual_seed(0)) < 0.9
    transform = ImageTransform.fit((13, 9), resize)
    width, height = transform.resized_size

    def covers(index: int, side: int, original: int) -> slice:
        return slice(index * original // side, -(-(index + 1) * original // side))

    slow = torch.tensor(
        [
            [bool(mask[covers(y, height, 9), covers(x, width, 13)].all()) for x in range(width)]
            for y in range(height)
        ]
    )
    assert torch.equal(resize_mask(mask, transform), slow)


def test_a_keypoint_lies_in_the_pixel_that_it_rounds_to() -> None:
    keypoints = torch.tensor([[2.0, 1], [1.6, 0.6], [6.4, 3.4], [1.4, 1], [2, 0.4], [-0.4, 0], [7.9, 5.9]])
    assert allowed_at(EXPECTED, keypoints).tolist() == [True, True, True, False, False, False, False]
    assert allowed_at(EXPECTED, torch.zeros(0, 2)).shape == (0,)


def test_the_digest_tells_masks_apart() -> None:
    other = EXPECTED.clone()
    other[5, 7] = True
    masks = (EXPECTED, other, EXPECTED.T.contiguous(), EXPECTED.reshape(8, 6))
    assert len({mask_digest(mask) for mask in masks}) == 4
    assert mask_digest(EXPECTED.clone()) == mask_digest(EXPECTED)


def filled_pixels(*polygons: list, size: tuple[int, int] = (7, 5)) -> list[tuple[int, int]]:
    return [(x, y) for y, x in fill_polygons(list(polygons), size, "mask").nonzero().tolist()]


def test_the_centers_inside_are_marked() -> None:
    assert filled_pixels([(0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5)]) == [(1, 1), (2, 1), (1, 2), (2, 2)]


def test_neighbors_share_no_pixel() -> None:
    """A center on an edge belongs to what lies to its right, or below it."""
    left, right = [(1, 1), (3, 1), (3, 3), (1, 3)], [(3, 1), (5, 1), (5, 3), (3, 3)]
    assert filled_pixels(left) == [(1, 1), (2, 1), (1, 2), (2, 2)]
    assert set(filled_pixels(left)).isdisjoint(filled_pixels(right))
    assert sorted(filled_pixels(left) + filled_pixels(right)) == sorted(
        filled_pixels([(1, 1), (5, 1), (5, 3), (1, 3)])
    )


def test_a_polygon_may_reach_beyond_the_image() -> None:
    assert len(filled_pixels([(-100, -100), (100, -100), (100, 100), (-100, 100)])) == 35
    assert filled_pixels([(-9, -9), (-5, -9), (-5, -5)]) == []
    assert filled_pixels([(4.5, 3.5), (1e9, 3.5), (1e9, 1e9), (4.5, 1e9)]) == [(5, 4), (6, 4)]


def test_overlapping_polygons_add_up() -> None:
    square = [(0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5)]
    assert filled_pixels(square, square) == filled_pixels(square)


def test_where_a_polygon_crosses_itself_every_second_area_is_inside() -> None:
    twice_around = [(0, 0), (6, 0), (6, 4), (0, 4)] * 2
    assert filled_pixels(twice_around) == []


@pytest.mark.parametrize("seed", range(5))
def test_random_polygons_are_those_of_opencv(seed: int) -> None:
    random = np.random.default_rng(seed)
    angles = np.sort(random.uniform(0, 2 * np.pi, 9))
    radii = random.uniform(3, 30, 9)
    corners = np.stack([20 + radii * np.cos(angles), 15 + radii * np.sin(angles)], axis=1).astype(np.float32)
    inside = fill_polygons([corners], (40, 30), "mask")
    distance = np.array(
        [[pointPolygonTest(corners, (float(x), float(y)), True) for x in range(40)] for y in range(30)]
    )
    clear = torch.from_numpy(np.abs(distance) > 1e-3)
    assert torch.equal(inside[clear], torch.from_numpy(distance > 0)[clear])


@pytest.mark.parametrize(
    "polygon",
    [
        (1, 2),
        [(0, 0), (1, 1)],
        [(0, 0, 0), (1, 1, 1), (2, 0, 0)],
        [(0, 0), (1, 1), (float("nan"), 0)],
        [(0, 0), (1,), (2, 2)],
        "mask.png",
        None,
    ],
    ids=["a corner", "two corners", "three coordinates", "NaN", "ragged", "text", "None"],
)
def test_invalid_polygons_are_rejected(polygon: object) -> None:
    with pytest.raises(InvalidInput, match=r"invalid mask0: .*polygon 1") as error:
        fill_polygons([[(0, 0), (1, 0), (1, 1)], polygon], (4, 4), "mask0")
    assert "\n" not in str(error.value)
