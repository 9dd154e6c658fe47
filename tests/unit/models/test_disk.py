"""DISK with small random weights: shapes, odd sizes, batches, and its shortcuts against the long way."""

import pytest
import torch
import torch.nn.functional as F

from tiepoint.errors import InvalidInput
from tiepoint.models import row_chunks
from tiepoint.models.disk import DISK, DISKConfig, _convolve_to_one, _standardize

SIZES = [(1, 1), (1, 40), (3, 5), (4, 50), (31, 33), (40, 300), (48, 64)]


@pytest.fixture(scope="module")
def network() -> DISK:
    torch.manual_seed(0)
    return DISK(DISKConfig(down=(4, 4, 6, 6, 8), up=(6, 6, 4), dim=12)).eval()


@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_images_of_any_size(network, size):
    height, width = size
    keypoints, scores, descriptors = network(torch.rand(1, 3, height, width), max_keypoints=None)[0]
    count = len(keypoints)
    assert (keypoints.shape, scores.shape, descriptors.shape) == ((count, 2), (count,), (count, 12))
    assert (count > 0) == (min(size) > 5)
    assert bool((keypoints >= 2).all())
    assert bool((keypoints <= torch.tensor([width - 3, height - 3])).all())
    assert bool((scores[:-1] >= scores[1:]).all())
    assert bool((scores > 0).all())
    torch.testing.assert_close(descriptors.norm(dim=1), torch.ones(count))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (64, 96)])
@torch.inference_mode()
def test_a_blank_image_has_no_keypoints(network, value, size):
    keypoints, scores, descriptors = network(torch.full((1, 3, *size), value))[0]
    assert (keypoints.shape, scores.shape, descriptors.shape) == ((0, 2), (0,), (0, 12))
    assert keypoints.dtype == scores.dtype == descriptors.dtype == torch.float32


@torch.inference_mode()
def test_batches_are_identical_to_single_images(network):
    images = torch.rand(3, 3, 50, 70)
    images[1] = 0.3
    for together, alone in zip(network(images), [network(one[None])[0] for one in images], strict=True):
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_max_keypoints_and_threshold_cut_the_list_of_all(network):
    images = torch.rand(1, 3, 64, 64)
    every, some = network(images, max_keypoints=None)[0], network(images, max_keypoints=7)[0]
    assert len(every.keypoints) > 7
    assert torch.equal(some.keypoints, every.keypoints[:7])
    threshold = every.scores[10].item()
    above = network(images, max_keypoints=None, detection_threshold=threshold)[0]
    assert torch.equal(above.keypoints, every.keypoints[:10])
    with pytest.raises(InvalidInput, match="max_keypoints"):
        network(images, max_keypoints=-1)


@torch.inference_mode()
def test_sparse_descriptors_and_scores_are_those_of_the_whole_last_block(network):
    images = torch.rand(1, 3, 48, 64)
    dense = network.unet.last(*network.unet(images))[0]
    scores, descriptors = network.dense_maps(images)
    torch.testing.assert_close(scores[0], dense[-1], atol=1e-5, rtol=1e-5)
    inside = F.normalize(dense[:-1], dim=0)[:, 2:-2, 2:-2]
    rows, columns = torch.meshgrid(torch.arange(2, 46), torch.arange(2, 62), indexing="ij")
    sparse = descriptors[0].at((rows * 64 + columns).flatten()).T.reshape(12, 44, 60)
    torch.testing.assert_close(sparse, inside, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(1, 2), (1, 6), (2, 2), (7, 9)])
def test_normalizing_before_upsampling_is_normalizing_after(size):
    maps = torch.randn(2, 3, *size) * 5 + 3
    up = {"scale_factor": 2, "mode": "bilinear", "align_corners": False}
    expected = F.instance_norm(F.interpolate(maps, **up))
    torch.testing.assert_close(F.interpolate(_standardize(maps, upsampled=True), **up), expected)


@pytest.mark.parametrize("upsampled", [False, True])
@pytest.mark.parametrize("chunk_pixels", [1, 40, 1 << 20])
def test_normalizing_in_row_chunks(upsampled, chunk_pixels, monkeypatch):
    monkeypatch.setattr(row_chunks, "CHUNK_PIXELS", chunk_pixels)
    maps = torch.randn(2, 3, 17, 9) * 5 + 3
    expected = _standardize(maps, upsampled=upsampled)
    with torch.no_grad():
        torch.testing.assert_close(_standardize(maps, upsampled=upsampled), expected, atol=1e-5, rtol=0)


def test_convolve_to_one_is_a_convolution():
    maps, weight = torch.randn(2, 3, 8, 11), torch.randn(3, 5, 5)
    expected = F.conv2d(maps, weight[None], padding=2)
    torch.testing.assert_close(_convolve_to_one(maps, weight), expected, atol=1e-5, rtol=1e-5)


def test_the_whole_network_can_be_trained():
    network = DISK(DISKConfig(down=(4, 4, 6, 6, 8), up=(6, 6, 4), dim=12)).train()
    detection = network(torch.rand(2, 3, 48, 48), max_keypoints=20)[0]
    (detection.scores.sum() + detection.descriptors[:, 0].sum()).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []
