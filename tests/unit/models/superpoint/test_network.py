"""SuperPoint with small random weights: sizes, borders, batches, gray, its shortcuts; and the names of its tensors."""

from collections import OrderedDict
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from tests.helpers.tiny_superpoint import TINY, TINY_OPEN, WIDTHS, tiny
from torch import nn

from tiepoint.errors import InvalidInput
from tiepoint.models.superpoint.checkpoint import (
    build,
    from_original,
)
from tiepoint.models.superpoint.network import SuperPoint, _halve_in_row_chunks, to_gray


@pytest.fixture(scope="module", params=[TINY, TINY_OPEN], ids=["original", "open"])
def network(request: pytest.FixtureRequest) -> SuperPoint:
    return tiny(request.param)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (7, 40), (40, 7), (8, 8), (17, 200), (31, 33), (48, 64)])
@torch.inference_mode()
def test_images_of_any_size(network, size, channels):
    torch.manual_seed(1)
    keypoints, scores, descriptors = network(torch.rand(1, channels, *size))[0]
    count = len(keypoints)
    assert (keypoints.shape, scores.shape, descriptors.shape) == ((count, 2), (count,), (count, 12))
    assert keypoints.dtype == scores.dtype == descriptors.dtype == torch.float32
    height, width = (side // 8 * 8 for side in size)
    assert (count > 0) == (min(size) >= 16)
    assert bool((keypoints >= 4).all())
    assert bool((keypoints <= torch.tensor([width - 5, height - 5])).all())
    assert bool((scores[:-1] >= scores[1:]).all())
    assert bool((scores > 0.005).all())
    torch.testing.assert_close(descriptors.norm(dim=1), torch.ones(count))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@torch.inference_mode()
def test_a_blank_image_has_no_keypoints(network, value):
    images = torch.full((1, 3, 64, 96), value)
    for threshold in (0.005, 0.0, -1.0):
        keypoints, scores, descriptors = network(images, detection_threshold=threshold)[0]
        assert (keypoints.shape, scores.shape, descriptors.shape) == ((0, 2), (0,), (0, 12))


@torch.inference_mode()
def test_batches_are_identical_to_single_images(network):
    images = torch.rand(3, 3, 70, 50)
    images[1] = 0.3
    together = network(images)
    assert [len(detection.keypoints) > 10 for detection in together] == [True, False, True]
    for detection, image in zip(together, images, strict=True):
        torch.testing.assert_close(detection, network(image[None])[0], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_max_keypoints_and_threshold_cut_the_list_of_all(network):
    images = torch.rand(1, 1, 64, 64)
    every, some = network(images)[0], network(images, max_keypoints=7)[0]
    assert len(every.keypoints) > 12
    assert torch.equal(some.keypoints, every.keypoints[:7])
    assert len(network(images, max_keypoints=0)[0].keypoints) == 0
    above = network(images, detection_threshold=every.scores[10].item())[0]
    assert torch.equal(above.keypoints, every.keypoints[:10])


@torch.inference_mode()
def test_ties_go_to_the_lower_index():
    scores = torch.zeros(48, 64)
    for row, column in [(30, 40), (10, 50), (10, 20), (30, 7)]:
        scores[row, column] = 0.5
    scores[20, 60] = scores[40, 10] = 0.75  # the first lies within the border
    descriptors = F.normalize(torch.rand(12, 6, 8), dim=0)
    found = tiny(TINY).detect(scores, descriptors, max_keypoints=3)
    assert found.keypoints.tolist() == [[10, 40], [20, 10], [50, 10]]
    network = tiny(TINY)
    found = network.detect(
        scores,
        descriptors,
        max_keypoints=3,
        suppress=partial(network.suppress_non_maxima, strict_border=False),
    )
    assert found.keypoints.tolist() == [[60, 20], [10, 40], [20, 10]]


@torch.inference_mode()
def test_no_strict_border_adds_keypoints_at_right_and_bottom_only(network):
    images = torch.rand(1, 1, 48, 64)
    strict, loose = network(images)[0], network(images, strict_border=False)[0]
    x, y = loose.keypoints.unbind(1)
    inside = (x < 60) & (y < 44)
    assert 0 < int(inside.sum()) < len(x)
    assert bool((loose.keypoints >= 4).all())
    torch.testing.assert_close(tuple(column[inside] for column in loose), tuple(strict))


@torch.inference_mode()
def test_radius_and_border_are_applied(network):
    images = torch.rand(1, 1, 48, 64)
    keypoints = network(images, nms_radius=7, border=0)[0].keypoints
    distances = (keypoints[:, None] - keypoints).abs().amax(dim=2).fill_diagonal_(99)
    assert int(distances.min()) > 7
    assert bool((keypoints < 4).any(dim=1).any())
    assert len(network(images, nms_radius=0, border=0, detection_threshold=0)[0].keypoints) == 48 * 64
    assert len(network(images, border=24)[0].keypoints) == 0


@pytest.mark.parametrize("setting", ["max_keypoints", "nms_radius", "border"])
def test_negative_settings_are_rejected(network, setting):
    with pytest.raises(InvalidInput, match=f"{setting} must be .*-1"):
        network(torch.rand(1, 1, 16, 16), **{setting: -1})


def test_images_are_gray_or_rgb(network):
    with pytest.raises(InvalidInput, match=r"1 or 3 channels.*\(1, 4, 16, 16\)"):
        network(torch.rand(1, 4, 16, 16))


def test_gray_is_luma_and_exact_for_equal_channels():
    images = torch.rand(2, 3, 5, 7)
    luma = (images * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    torch.testing.assert_close(to_gray(images), luma)
    gray = torch.rand(2, 1, 50, 70)
    assert torch.equal(to_gray(gray.expand(2, 3, 50, 70)), gray)
    assert to_gray(gray) is gray


@pytest.mark.parametrize("size", [(8, 8), (51, 20), (150, 40), (151, 41)])
@torch.inference_mode()
def test_row_chunks_are_identical_to_the_whole(network, size, monkeypatch):
    monkeypatch.setattr("tiepoint.models.superpoint.network.CHUNK_PIXELS", 400)
    images = torch.rand(1, 1, *size)
    torch.testing.assert_close(_halve_in_row_chunks(network._halve, images), network._halve(images))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.inference_mode()
def test_half_precision_keeps_integer_pixels(dtype):
    found = tiny(TINY).to(dtype)(torch.rand(1, 1, 16, 2400))[0]
    assert found.keypoints.dtype == found.scores.dtype == found.descriptors.dtype == torch.float32
    assert 2300 < float(found.keypoints.max()) < 2396
    assert bool((found.keypoints[:, 0] % 2 == 1).any())


@pytest.mark.parametrize("shape", [TINY, TINY_OPEN], ids=["original", "open"])
def test_the_whole_network_can_be_trained(shape):
    network = tiny(shape).train()
    detection = network(torch.rand(2, 3, 48, 48), max_keypoints=20)[0]
    (detection.scores.sum() + detection.descriptors[:, 0].sum()).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


class OpenBlock(nn.Sequential):
    """One layer of SuperPoint-Open, written down again."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, *, relu: bool = True) -> None:
        parts = [
            ("conv", nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2)),
            ("activation", nn.ReLU() if relu else nn.Identity()),
            ("bn", nn.BatchNorm2d(channels_out, eps=0.001)),
        ]
        super().__init__(OrderedDict(parts))


def open_reference() -> nn.ModuleDict:
    stages, channels = [], 1
    for stage, width in enumerate(WIDTHS):
        pool = [nn.MaxPool2d(2, 2)] if stage < 3 else []
        stages.append(nn.Sequential(OpenBlock(channels, width, 3), OpenBlock(width, width, 3), *pool))
        channels = width
    heads = {
        name: nn.Sequential(OpenBlock(channels, 8, 3), OpenBlock(8, outputs, 1, relu=False))
        for name, outputs in (("detector", 65), ("descriptor", 12))
    }
    return nn.ModuleDict({"backbone": nn.Sequential(*stages), **heads})


@torch.inference_mode()
def test_superpoint_open_is_a_plain_chain_of_its_layers():
    reference = open_reference()
    reference.load_state_dict(from_original(tiny(TINY_OPEN).state_dict(), "open"))
    network = build(reference.eval().state_dict())
    images = torch.rand(2, 1, 49, 66)
    features = reference["backbone"](images)
    logits = reference["detector"](features).softmax(dim=1)
    coarse = F.normalize(reference["descriptor"](features), dim=1)
    scores, descriptors = network.dense_maps(images)
    for row, column in [(0, 0), (5, 62), (33, 17), (47, 63)]:
        expected = logits[:, row % 8 * 8 + column % 8, row // 8, column // 8]
        torch.testing.assert_close(scores[:, row, column], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(descriptors, coarse, atol=1e-5, rtol=0)
    keypoints = network(images, border=0)[1].keypoints
    grid = ((keypoints + 0.5) / torch.tensor([64, 48]) * 2 - 1)[None, None]
    expected = F.grid_sample(coarse[1:], grid, align_corners=False)[0, :, 0].T
    torch.testing.assert_close(
        network.describe(descriptors[1], keypoints), F.normalize(expected, dim=1), atol=1e-5, rtol=0
    )


def test_batch_norm_uses_statistics_of_whole_images(monkeypatch):
    monkeypatch.setattr("tiepoint.models.superpoint.network.CHUNK_PIXELS", 400)
    network, images = tiny(TINY_OPEN).train(), torch.rand(2, 1, 48, 64)
    network.conv1a.bn.reset_running_stats()
    network(images)
    maps = F.relu(F.conv2d(images, network.conv1a.weight, network.conv1a.bias, padding=1))
    torch.testing.assert_close(network.conv1a.bn.running_mean, 0.1 * maps.mean(dim=(0, 2, 3)))
