"""Probabilities over the whole image, their maxima, and sub-pixel positions."""

import pytest
import torch
from tests.helpers.tiny_detectors import noise, tiny_dad, tiny_raco

from tiepoint.models.detector import Detector
from tiepoint.models.softmax_detector import normalize_imagenet, refine

NETWORKS = {"raco": tiny_raco, "dad": tiny_dad}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Detector:
    return NETWORKS[request.param]()


@torch.inference_mode()
def test_probabilities_sum_to_one(network: Detector):
    scores, features = network.dense_maps(noise(64, 96, 2))
    torch.testing.assert_close(scores.sum(dim=(1, 2)), torch.ones(2))
    assert features[0].logits.shape == (64, 96)


@torch.inference_mode()
def test_blank_images_have_no_keypoints(network: Detector):
    images = torch.cat([torch.full((1, 3, 64, 96), 0.4), noise(64, 96)])
    blank, textured = network(images)
    assert blank.keypoints.shape == (0, 2)
    assert len(textured.keypoints) > 20


@torch.inference_mode()
def test_keypoints_are_maxima_in_the_image_and_in_order(network: Detector):
    (found,) = network(noise(64, 96), max_keypoints=None)
    assert found.descriptors.shape == (len(found.keypoints), 0)
    assert network.descriptor_dim == 0
    assert float(found.keypoints.min()) >= 0
    assert bool((found.keypoints <= torch.tensor([95, 63])).all())
    scores, _ = network.dense_maps(noise(64, 96))
    pixels = found.keypoints.round().long()
    near = torch.nn.functional.max_pool2d(scores[None], 3, stride=1, padding=1)[0, 0]
    assert float((near[pixels[:, 1], pixels[:, 0]] / near.max()).min()) > 0
    assert bool((found.scores[:-1] >= 0.5 * found.scores[1:]).all())


def test_a_maximum_has_no_greater_neighbor():
    scores = torch.zeros(6, 8)
    scores[0, 0], scores[2, 3], scores[2, 4], scores[4, 4] = 0.1, 0.3, 0.2, 0.2
    assert tiny_raco().suppress_non_maxima(scores).nonzero().tolist() == [[0, 0], [2, 3], [4, 4]]


def test_refinement_is_a_mean_weighted_by_the_logits():
    logits = torch.full((5, 6), -50.0)
    logits[2, 3], logits[2, 4] = 1.0, 1.0
    torch.testing.assert_close(refine(logits, torch.tensor([2 * 6 + 3])), torch.tensor([[3.5, 2.0]]))
    logits[2, 4] = 0.5  # exp(0.5 / 0.5) = e times less
    share = 1 / (1 + torch.e)
    torch.testing.assert_close(refine(logits, torch.tensor([15])), torch.tensor([[3 + share, 2.0]]))


def test_refined_positions_stay_in_the_image():
    positions = refine(torch.full((4, 4), -30.0), torch.tensor([0, 3, 15]))
    assert positions.tolist() == [[0.0, 0.0], [3.0, 0.0], [3.0, 3.0]]


def test_images_are_normalized_by_the_statistics_of_imagenet():
    mean = torch.tensor([0.485, 0.456, 0.406])[None, :, None, None]
    assert float(normalize_imagenet(mean.expand(1, 3, 2, 2)).abs().max()) < 1e-6
