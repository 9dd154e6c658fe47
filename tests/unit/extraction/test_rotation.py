"""Rotation by multiples of 90 degrees; tests/property/test_rotation.py has the general properties."""

import math

import pytest
import torch

from tiepoint.extraction.rotation import (
    ROTATIONS,
    rotate_image,
    rotate_mask,
    unrotate_features,
    unrotate_keypoints,
)
from tiepoint.image import Image
from tiepoint.types import Features

WIDTH, HEIGHT = 5, 3


@pytest.mark.parametrize(("degrees", "pixel"), [(0, (4, 0)), (90, (0, 0)), (180, (0, 2)), (270, (2, 4))])
def test_rotations_are_counter_clockwise(degrees: int, pixel: tuple[int, int]) -> None:
    """The top-right pixel is tracked; positions are (x, y) in the rotated image."""
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[0, 4] = True
    rotated = rotate_mask(mask, degrees)
    assert rotated is not None
    assert rotated.nonzero().flip(1).tolist() == [list(pixel)]
    keypoints = torch.tensor([pixel], dtype=torch.float32)
    assert unrotate_keypoints(keypoints, degrees, (WIDTH, HEIGHT)).tolist() == [[4, 0]]


def test_no_mask_stays_no_mask() -> None:
    assert rotate_mask(None, 90) is None


def test_gray_images_keep_one_channel_in_memory() -> None:
    gray = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.uint8).expand(3, -1, -1)
    rotated = rotate_image(Image(pixels=gray), 90)
    assert rotated.image_size == (HEIGHT, WIDTH)
    assert rotated.pixels.stride(0) == 0


@pytest.mark.parametrize("degrees", ROTATIONS)
def test_orientations_and_fingerprint_follow_the_rotation(degrees: int) -> None:
    features = Features(
        keypoints=torch.zeros(2, 2),
        scores=torch.ones(2),
        descriptors=torch.ones(2, 4),
        image_size=(HEIGHT, WIDTH),
        orientations=torch.tensor([0.0, 1.0]),
        fingerprint="abc",
    )
    found = unrotate_features(features, degrees, (WIDTH, HEIGHT))
    assert found.image_size == (WIDTH, HEIGHT)
    assert found.orientations is not None
    torch.testing.assert_close(found.orientations, torch.tensor([0.0, 1.0]) + math.radians(degrees))
    assert (found.fingerprint == "abc") == (degrees == 0)


@pytest.mark.parametrize("degrees", ROTATIONS)
def test_covariances_follow_the_rotation(degrees: int) -> None:
    """The covariance of positions that are rotated back is that of their samples."""
    samples = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([3.0, 1.0])
    samples[:, 0] += samples[:, 1]
    features = Features(
        keypoints=torch.zeros(1, 2),
        scores=torch.ones(1),
        descriptors=torch.ones(1, 4),
        image_size=(HEIGHT, WIDTH),
        covariances=samples.T.cov()[None],
    )
    found = unrotate_features(features, degrees, (WIDTH, HEIGHT)).covariances
    assert found is not None
    expected = unrotate_keypoints(samples, degrees, (WIDTH, HEIGHT)).T.cov()
    torch.testing.assert_close(found[0], expected)
