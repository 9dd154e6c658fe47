"""Image sizes and external keypoints: shapes that are rejected."""

import pytest
import torch
from tests.helpers.keypoint_matching import HEIGHT, WIDTH

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.models.inputs import (
    resolve_image_shapes,
    resolve_pair_shapes,
    split_external_features,
)


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (1, 3, 3, 32, 32), (1, 1, 3, 32, 32), (32, 32)])
def test_pixel_values_must_be_pairs(shape):
    message = r"Input must be a 5D tensor of shape \(batch_size, 2, num_channels, height, width\)"
    with pytest.raises(ValueError, match=message):
        resolve_pair_shapes(torch.zeros(shape), None)


def test_images_must_be_a_batch():
    with pytest.raises(ValueError, match=r"Input must be a 4D tensor .* got \(3, 32, 32\)"):
        resolve_image_shapes(torch.zeros(3, 32, 32), None)


def test_without_sizes_images_are_not_padded():
    shapes = resolve_pair_shapes(torch.zeros(2, 2, 3, HEIGHT, WIDTH), None)
    assert shapes == [(HEIGHT, WIDTH)] * 4


@pytest.mark.parametrize(
    ("keypoints", "descriptors"), [((1, 2, 5, 2), (1, 2, 7, 48)), ((3, 2, 5, 2), (3, 2, 5, 48))]
)
def test_inconsistent_shapes_of_external_features_are_rejected(keypoints, descriptors):
    """Called directly, without the shape checks of jaxtyping that are active in tests."""
    with pytest.raises(InvalidInput, match=r"keypoints must have shape \(b, 2, n, 2\), .* with b = 1"):
        split_external_features(torch.zeros(keypoints), torch.zeros(descriptors), None, [(HEIGHT, WIDTH)] * 2)


def test_padding_of_external_features_is_dropped():
    mask = torch.tensor([[[1, 1, 0], [1, 0, 0]]])
    images = split_external_features(
        torch.rand(1, 2, 3, 2), torch.rand(1, 2, 3, 8), mask, [(HEIGHT, WIDTH), (WIDTH, HEIGHT)]
    )
    assert [image.keypoints.shape for image in images] == [(2, 2), (1, 2)]
    assert [image.descriptors.shape for image in images] == [(2, 8), (1, 8)]
    assert [image.image_shape for image in images] == [(HEIGHT, WIDTH), (WIDTH, HEIGHT)]
