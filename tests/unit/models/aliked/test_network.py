"""ALIKED with small random weights: shapes, odd sizes, batches, and its shortcuts against the long way."""

import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.models.aliked.network import ALIKED, ALIKED_VARIANTS, ALIKEDConfig

SIZES = [(1, 1), (1, 40), (40, 1), (3, 5), (4, 50), (9, 9), (31, 33), (40, 300), (33, 65)]


@pytest.fixture(scope="module")
def network() -> ALIKED:
    torch.manual_seed(0)
    return ALIKED(ALIKEDConfig(widths=(4, 4, 8, 8), dim=16, positions=4)).eval()


@pytest.mark.parametrize(
    ("name", "dim", "positions"), [("t16", 64, 16), ("n16", 128, 16), ("n16rot", 128, 16)]
)
def test_variants_have_the_published_sizes(name, dim, positions):
    assert ALIKED(ALIKED_VARIANTS[name]).desc_head.agg_weights.shape == (positions, dim, dim)


@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_images_of_any_size(network, size):
    height, width = size
    detection = network(torch.rand(1, 3, height, width), max_keypoints=None)[0]
    count = len(detection.keypoints)
    assert detection.keypoints.shape == (count, 2)
    assert detection.scores.shape == (count,)
    assert detection.descriptors.shape == (count, 16)
    assert count == 0 if min(size) < 5 else count > 0
    assert bool((detection.keypoints >= 0).all())
    assert bool((detection.keypoints <= torch.tensor([width - 1, height - 1])).all())
    torch.testing.assert_close(detection.descriptors.norm(dim=1), torch.ones(count))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (64, 96)])
@torch.inference_mode()
def test_a_blank_image_has_no_keypoints(network, value, size):
    keypoints, scores, descriptors = network(torch.full((1, 3, *size), value))[0]
    assert (keypoints.shape, scores.shape, descriptors.shape) == ((0, 2), (0,), (0, 16))
    assert keypoints.dtype == scores.dtype == descriptors.dtype == torch.float32


@torch.inference_mode()
def test_batches_are_identical_to_single_images(network):
    images = torch.rand(3, 3, 70, 90)
    images[1] = 0.3
    for together, alone in zip(network(images), [network(one[None])[0] for one in images], strict=True):
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_max_keypoints_cuts_the_list_of_all(network):
    images = torch.rand(1, 3, 64, 64)
    every, some = network(images, max_keypoints=None)[0], network(images, max_keypoints=7)[0]
    assert len(every.keypoints) > 7
    torch.testing.assert_close(some.keypoints, every.keypoints[:7], atol=1e-5, rtol=0)
    torch.testing.assert_close(some.descriptors, every.descriptors[:7], atol=1e-5, rtol=0)
    assert len(network(images, max_keypoints=0)[0].keypoints) == 0
    with pytest.raises(InvalidInput, match="max_keypoints"):
        network(images, max_keypoints=-1)


@torch.inference_mode()
def test_detection_threshold_applies_to_the_integer_pixel(network):
    images = torch.rand(1, 3, 64, 64)
    scores, features = network.dense_maps(images)
    every = network.detect(scores[0], features[0], max_keypoints=None)
    middle = every.scores.median().item()
    fewer = network.detect(scores[0], features[0], max_keypoints=None, detection_threshold=middle)
    assert 0 < len(fewer.keypoints) < len(every.keypoints)
    assert torch.equal(fewer.keypoints, every.keypoints[: len(fewer.keypoints)])


@torch.inference_mode()
def test_no_keypoint_where_the_score_map_is_masked(network):
    scores, features = network.dense_maps(torch.rand(1, 3, 64, 64))
    scores[0, :, 30:] = 0
    keypoints = network.detect(scores[0], features[0], max_keypoints=None).keypoints
    assert len(keypoints) > 0
    assert keypoints[:, 0].max() < 30


@pytest.mark.slow
def test_the_whole_network_can_be_trained():
    network = ALIKED(ALIKEDConfig(widths=(4, 4, 8, 8), dim=16, positions=4)).train()
    detection = network(torch.rand(2, 3, 256, 256), max_keypoints=20)[0]
    loss = detection.keypoints.sum() + detection.scores.sum() + detection.descriptors[:, 0].sum()
    loss.backward()
    assert int(network.block1.bn1.num_batches_tracked) == 1
    missing = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert missing == []
    assert all(bool(parameter.grad.isfinite().all()) for parameter in network.parameters())
