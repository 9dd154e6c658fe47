"""Rotations by 90 degrees are exact: a keypoint stays on its pixel, to the last bit, for any image and position."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from tiepoint.extraction.rotation import (
    ROTATIONS,
    rotate_image,
    rotate_mask,
    unrotate_features,
    unrotate_keypoints,
)
from tiepoint.image import Image
from tiepoint.types import Features

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def numbered(size: tuple[int, int], *, gray: bool = False) -> Image:
    """Every pixel has a value of its own."""
    width, height = size
    values = torch.arange(width * height, dtype=torch.float32).reshape(1, height, width) / 4096
    return Image(pixels=values.expand(3, -1, -1) if gray else values.repeat(3, 1, 1))


def every_pixel(size: tuple[int, int]) -> Tensor:
    """(x, y) of all pixels of an image (width, height), row by row."""
    y, x = torch.meshgrid(torch.arange(size[1]), torch.arange(size[0]), indexing="ij")
    return torch.stack((x.flatten(), y.flatten()), dim=1).float()


def values_at(image: Image, keypoints: Tensor) -> Tensor:
    x, y = keypoints.long().unbind(dim=1)
    return image.pixels[0, y, x]


@given(size=SIZES, turn=st.sampled_from(ROTATIONS), gray=st.booleans())
def test_every_pixel_comes_back_to_where_it_was(size: tuple[int, int], turn: int, gray: bool) -> None:
    upright = numbered(size, gray=gray)
    turned = rotate_image(upright, turn)
    places = every_pixel(turned.image_size)
    back = unrotate_keypoints(places, turn, size)
    assert torch.equal(values_at(turned, places), values_at(upright, back))
    assert sorted(back.tolist()) == sorted(every_pixel(size).tolist())
    assert (turned.pixels.stride(0) == 0) == (upright.pixels.stride(0) == 0)


FORWARD: dict[int, Callable[[float, float, int, int], tuple[float, float]]] = {
    0: lambda x, y, width, height: (x, y),
    90: lambda x, y, width, height: (y, width - 1 - x),
    180: lambda x, y, width, height: (width - 1 - x, height - 1 - y),
    270: lambda x, y, width, height: (height - 1 - y, x),
}
"""Where a turn counter-clockwise takes a point of an upright image."""


@given(
    size=st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)),
    turn=st.sampled_from(ROTATIONS),
    share=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_half_pixels_come_back_to_the_last_bit(
    size: tuple[int, int], turn: int, share: tuple[float, float]
) -> None:
    x, y = (round(2 * part * (side - 1)) / 2 for part, side in zip(share, size, strict=True))
    turned = torch.tensor([FORWARD[turn](x, y, *size)])
    assert unrotate_keypoints(turned, turn, size).tolist() == [[x, y]]


@given(size=SIZES, turn=st.sampled_from(ROTATIONS), seed=st.integers(0, 99))
def test_a_mask_turns_with_its_image(size: tuple[int, int], turn: int, seed: int) -> None:
    allowed = torch.rand(size[1], size[0], generator=torch.Generator().manual_seed(seed)) < 0.5
    image = Image(pixels=allowed.float().repeat(3, 1, 1))
    turned = rotate_mask(allowed, turn)
    assert turned is not None
    assert torch.equal(turned, rotate_image(image, turn).pixels[0] > 0)


@pytest.mark.slow
@pytest.mark.parametrize("turn", ROTATIONS)
@given(angle=st.floats(-3, 3))
def test_orientations_point_at_the_same_thing(turn: int, angle: float) -> None:
    """From one keypoint to another in the turned image, and back."""
    size = (60, 41)
    turned_size = size if turn in (0, 180) else size[::-1]
    from_here = torch.tensor([[20.0, 20.0]])
    there = from_here + 10 * torch.tensor([[math.cos(angle), math.sin(angle)]])
    features = Features(
        keypoints=from_here,
        scores=torch.ones(1),
        descriptors=torch.ones(1, 2),
        orientations=torch.tensor([angle]),
        image_size=turned_size,
        fingerprint="f",
    )
    back = unrotate_features(features, turn, size)
    step = unrotate_keypoints(there, turn, size) - back.keypoints
    assert back.orientations is not None
    direction = torch.stack((back.orientations.cos(), back.orientations.sin()), dim=1)
    torch.testing.assert_close(direction, step / 10, atol=1e-5, rtol=0)
    assert back.image_size == size
    assert back.fingerprint == ("f" if turn == 0 else f"f-rotated{turn}")


def test_no_mask_stays_no_mask() -> None:
    assert rotate_mask(None, 90) is None
