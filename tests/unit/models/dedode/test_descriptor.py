"""DeDoDe: descriptors at positions are those of the full map of descriptors, which the network does not compute."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tests.helpers.tiny_detectors import DEDODE, DEDODE_G, noise, tiny_dedode
from torch import Tensor

from tiepoint.models.dedode.descriptor import DeDoDe, DeDoDeConfig
from tiepoint.models.softmax_detector import normalize_imagenet


def full_map(network: DeDoDe, images: Tensor) -> Tensor:
    """The map of descriptors of images of the right size, in the obvious way."""
    images = normalize_imagenet(images) if network.config.normalize_images else images
    coarse, hidden = network.decoder(network.encoder(images)[::-1], "bilinear")
    weight, bias = network.decoder.last_conv
    upsampled = F.interpolate(coarse, hidden.shape[-2:], mode="bilinear", align_corners=False)
    return upsampled + F.conv2d(hidden, weight[..., None, None], bias)


@pytest.mark.parametrize(
    "config", [DEDODE, DEDODE_G, replace(DEDODE, unit_length=False, normalize_images=False)]
)
@torch.inference_mode()
def test_descriptors_are_those_of_the_full_map(config: DeDoDeConfig):
    network, images = tiny_dedode(config), noise(84, 56)
    grid = torch.rand(40, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected = F.grid_sample(full_map(network, images), grid[None, None], align_corners=False)[0, :, 0].T
    if config.unit_length:
        expected = F.normalize(expected, dim=1)
    (maps,) = network.feature_maps(images)
    keypoints = (grid + 1) / 2 * torch.tensor([56, 84]) - 0.5
    torch.testing.assert_close(network.describe_at(maps, keypoints, (84, 56)), expected, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_images_of_other_sizes_are_resized():
    network, images = tiny_dedode(), noise(200, 130)
    (maps,) = network.feature_maps(images)
    resized = F.interpolate(images, (84, 56), mode="bilinear", antialias=True, align_corners=False)
    (expected,) = network.feature_maps(resized)
    keypoints = torch.tensor([[0.0, 0.0], [64.5, 99.5], [129.0, 199.0], [20.25, 150.5]])
    scaled = (keypoints + 0.5) * torch.tensor([56 / 130, 84 / 200]) - 0.5
    found = network.describe_at(maps, keypoints, (200, 130))
    torch.testing.assert_close(found, network.describe_at(expected, scaled, (84, 56)), rtol=0, atol=1e-4)


@torch.inference_mode()
def test_descriptors_have_unit_length_unless_they_are_lomas():
    keypoints = torch.tensor([[3.0, 4.0], [30.0, 60.0]])
    for unit_length in (True, False):
        network = tiny_dedode(replace(DEDODE, unit_length=unit_length))
        (maps,) = network.feature_maps(noise(84, 56))
        norms = network.describe_at(maps, keypoints, (84, 56)).norm(dim=1)
        assert bool(torch.isclose(norms, torch.ones(2)).all()) is unit_length
    assert network.descriptor_dim == 12
