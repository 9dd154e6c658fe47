"""A detector with the descriptors of another network: the keypoints of the one, the descriptors of the other."""

import pytest
import torch
from tests.helpers.tiny_detectors import noise, tiny_dad_dedode, tiny_raco_aliked

from tiepoint.models.described_detector import DescribedDetector
from tiepoint.models.fusion import fuse_detector

NETWORKS = {"raco-aliked": tiny_raco_aliked, "dad-dedode-b": tiny_dad_dedode}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> DescribedDetector:
    return NETWORKS[request.param]()


@torch.inference_mode()
def test_keypoints_of_one_network_and_descriptors_of_the_other(network: DescribedDetector):
    images = noise(64, 80)
    (found,), (detected,) = network(images, max_keypoints=30), network.detector(images, max_keypoints=30)
    assert torch.equal(found.keypoints, detected.keypoints)
    assert torch.equal(found.scores, detected.scores)
    (features,) = network.descriptor.feature_maps(images)
    described = network.descriptor.describe_at(features, found.keypoints, (64, 80))
    assert torch.equal(found.descriptors, described)
    assert found.descriptors.shape == (30, network.descriptor_dim)


@torch.inference_mode()
def test_given_keypoints(network: DescribedDetector):
    images = noise(64, 80)
    _, (features,) = network.dense_maps(images)
    (found,) = network(images, max_keypoints=30)
    described = network.describe_at(features, found.keypoints, (64, 80))
    torch.testing.assert_close(described, found.descriptors)


@torch.inference_mode()
def test_the_inference_form_has_the_same_keypoints(network: DescribedDetector):
    images = noise(64, 80)
    fused = fuse_detector(network)
    (expected,), (found,) = network(images, max_keypoints=30), fused(images, max_keypoints=30)
    torch.testing.assert_close(found.keypoints, expected.keypoints, rtol=0, atol=1e-3)
    torch.testing.assert_close(found.descriptors, expected.descriptors, rtol=0, atol=1e-4)


def test_tiles_are_those_of_the_detector():
    aliked, dad = tiny_raco_aliked(), tiny_dad_dedode()
    assert (aliked.stride, aliked.nms_radius, aliked.size_multiple) == (32, 1, 1)
    assert (dad.stride, dad.nms_radius, dad.size_multiple) == (8, 1, 8)
    assert aliked.grid_origin((40, 70)) == aliked.detector.grid_origin((40, 70)) == (-12, -13)
