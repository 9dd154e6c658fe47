"""SuperPoint against transformers, with random weights on a real image, and against a slow computation.

The published weights are not available here. The random ones are scaled so that scores vary as much as theirs do.
The rule: scores within 1e-5, and a decision may differ only where the compared values lie within 1e-5 of each other.
"""

from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.functional import pil_to_tensor
from transformers import SuperPointConfig, SuperPointForKeypointDetection

from tiepoint.models.keypoints import Detection
from tiepoint.models.superpoint.checkpoint import build, from_original
from tiepoint.models.superpoint.network import SuperPoint

pytestmark = pytest.mark.real

WITHIN = 1e-5
TIES_BELOW = 1e-3
RADIUS = BORDER = 4
TINY = {"encoder_hidden_sizes": [8, 8, 12, 12], "decoder_hidden_size": 24, "descriptor_decoder_dim": 16}


@pytest.fixture(scope="module")
def photo(shared_data: Path) -> Tensor:
    """Three equal channels, as transformers' processor makes them."""
    folder = shared_data / "superglue_assets" / "phototourism_sample_images"
    image = Image.open(folder / "united_states_capitol_26757027_6717084061.jpg").convert("L")
    return (pil_to_tensor(image.resize((640, 480))).float() / 255).expand(1, 3, -1, -1)


def random_reference(**config) -> SuperPointForKeypointDetection:
    torch.manual_seed(0)
    network = SuperPointForKeypointDetection(SuperPointConfig(**config)).eval()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.uniform_(layer.bias, -0.1, 0.1)
    last = network.keypoint_decoder.conv_score_b
    nn.init.normal_(last.weight, std=3.5 / last.in_channels**0.5)
    return network


@pytest.fixture(scope="module", params=[TINY, {}], ids=["tiny", "full"])
def both(request: pytest.FixtureRequest, photo: Tensor) -> SimpleNamespace:
    """The reference and ours with the same weights, and their outputs for the image."""
    reference = random_reference(**request.param)
    network = build(reference.state_dict())
    with torch.inference_mode():
        features = reference.encoder(photo[:, :1])[0]
        scores = raw_scores(reference, features)
        descriptors = raw_descriptors(reference, features)
        theirs = detection_of(reference(photo.contiguous()))
        ours = network(photo, strict_border=False)[0]
    return SimpleNamespace(**locals())


def raw_scores(reference: SuperPointForKeypointDetection, features: Tensor) -> Tensor:
    """The reference's score map before suppression: channel 8 i + j is pixel (i, j) of its cell."""
    decoder = reference.keypoint_decoder
    chances = decoder.conv_score_b(F.relu(decoder.conv_score_a(features)))[0].softmax(dim=0)
    scores = torch.empty(chances.shape[1] * 8, chances.shape[2] * 8)
    for i, j in product(range(8), range(8)):
        scores[i::8, j::8] = chances[8 * i + j]
    return scores


def raw_descriptors(reference: SuperPointForKeypointDetection, features: Tensor) -> Tensor:
    decoder = reference.descriptor_decoder
    return F.normalize(decoder.conv_descriptor_b(F.relu(decoder.conv_descriptor_a(features)))[0], dim=0)


def detection_of(output) -> Detection:
    """In pixels, by falling score; the reference keeps raster order when it keeps all."""
    order = output.scores[0].argsort(descending=True, stable=True)
    pixels = (output.keypoints[0] * torch.tensor([640, 480])).round()
    return Detection(pixels[order], output.scores[0][order], output.descriptors[0][order])


def indices_of(found: Detection) -> Tensor:
    return (found.keypoints @ torch.tensor([1.0, 640.0])).long()


def test_maps_are_those_of_transformers(both, photo):
    with torch.inference_mode():
        scores, descriptors = both.network.dense_maps(photo)
    torch.testing.assert_close(scores[0], both.scores, atol=WITHIN, rtol=0)
    torch.testing.assert_close(descriptors[0], both.descriptors, atol=WITHIN, rtol=0)
    assert float(scores.max()) > 10 * float(scores.mean())


def test_decisions_on_the_same_maps_are_those_of_transformers(both):
    """No near-tie can hide anything here: the scores are the same, bit for bit."""
    suppress = partial(both.network.suppress_non_maxima, strict_border=False)
    found = both.network.detect(both.scores, both.descriptors, detection_threshold=0.005, suppress=suppress)
    assert len(found.keypoints) > 200
    assert torch.equal(found.keypoints, both.theirs.keypoints)
    assert torch.equal(found.scores, both.theirs.scores)
    assert float((found.descriptors * both.theirs.descriptors).sum(dim=1).min()) > 0.9999


def test_keypoints_of_an_image_are_those_of_transformers(both):
    ours, theirs = indices_of(both.ours), indices_of(both.theirs)
    assert len(theirs) > 200
    only_one = torch.cat([ours[~torch.isin(ours, theirs)], theirs[~torch.isin(theirs, ours)]])
    assert len(only_one) <= TIES_BELOW * len(theirs)
    pixels = [divmod(int(index), 640) for index in only_one]
    tied = [pixel for pixel in pixels if is_near_tie(both.scores, *pixel)]
    assert all(
        any(distance(pixel, other) <= 3 * RADIUS for other in tied) for pixel in pixels
    )  # a radius each pass
    common = torch.isin(ours, theirs)
    reference_scores = both.scores.flatten()[ours[common]]
    assert float((both.ours.scores[common] - reference_scores).abs().max()) <= WITHIN
    assert float(reference_scores.diff().max()) <= WITHIN  # the same order, up to near-ties
    rows = (theirs == ours[common][:, None]).long().argmax(dim=1)
    cosines = (both.ours.descriptors[common] * both.theirs.descriptors[rows]).sum(dim=1)
    assert float(cosines.min()) > 0.9999


def is_near_tie(scores: Tensor, row: int, column: int) -> bool:
    """Whether the threshold, or another pixel of the window, is within 1e-5 of this pixel's score."""
    rows, columns = (slice(max(side - RADIUS, 0), side + RADIUS + 1) for side in (row, column))
    differences = (scores[rows, columns] - scores[row, column]).abs().flatten()
    near_threshold = abs(float(scores[row, column]) - 0.005) < WITHIN
    return near_threshold or int((differences < WITHIN).sum()) > 1  # the first is the pixel itself


def distance(one: tuple[int, int], other: tuple[int, int]) -> int:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]))


@pytest.mark.parametrize("count", [1, 150])
def test_top_k_keypoints_are_those_of_transformers(photo, count):
    reference = random_reference(**TINY, max_keypoints=count)
    with torch.inference_mode():
        theirs = detection_of(reference(photo.contiguous()))
        ours = build(reference.state_dict())(photo, strict_border=False, max_keypoints=count)[0]
    assert len(ours.keypoints) == count
    assert_same_ranking(ours, theirs)


def assert_same_ranking(ours: Detection, theirs: Detection) -> None:
    """The same keypoints in the same order; only neighbors of nearly equal score may change places."""
    torch.testing.assert_close(ours.scores, theirs.scores, atol=WITHIN, rtol=0)
    gaps = F.pad(-theirs.scores.diff(), [1, 1], value=torch.inf)
    movable = torch.minimum(gaps[:-1], gaps[1:]) < WITHIN
    assert bool(((ours.keypoints == theirs.keypoints).all(dim=1) | movable).all())


@torch.inference_mode()
def test_transformers_leaves_the_border_in_and_ours_does_not(both, photo):
    def beyond(found: Detection) -> Tensor:
        return (found.keypoints >= torch.tensor([640 - BORDER, 480 - BORDER])).any(dim=1)

    assert int(beyond(both.theirs).sum()) > 0
    strict = both.network(photo)[0]
    assert not bool(beyond(strict).any())
    assert torch.equal(strict.keypoints, both.ours.keypoints[~beyond(both.ours)])


@torch.inference_mode()
def test_strict_detection_is_the_slow_computation(both, photo):
    crop = photo[:, :, 200:251, 100:174]  # 51 x 74 px: neither side is a multiple of 8
    scores, descriptors = (maps[0] for maps in both.network.dense_maps(crop))
    assert (tuple(scores.shape), tuple(descriptors.shape[1:])) == ((48, 72), (6, 9))
    expected = slow_keypoints(scores)
    assert len(expected) > 10
    found = both.network(crop)[0]
    assert [(int(y), int(x)) for x, y in found.keypoints] == expected
    vectors = torch.stack([slow_descriptor(descriptors, y, x) for y, x in expected])
    torch.testing.assert_close(found.descriptors, vectors, atol=WITHIN, rtol=0)


def slow_keypoints(scores: Tensor) -> list[tuple[int, int]]:
    """(row, column) of the keypoints, pixel by pixel, by falling score."""
    height, width = scores.shape
    pixels = list(product(range(height), range(width)))
    value = {(y, x): float(scores[y, x]) for y, x in pixels}

    def window(y: int, x: int) -> list[tuple[int, int]]:
        rows = range(max(y - RADIUS, 0), min(y + RADIUS + 1, height))
        return [(i, j) for i in rows for j in range(max(x - RADIUS, 0), min(x + RADIUS + 1, width))]

    kept = {pixel for pixel in pixels if value[pixel] == max(value[other] for other in window(*pixel))}
    for _ in range(2):
        shadow = {other for pixel in kept for other in window(*pixel)}
        lit = {pixel: 0.0 if pixel in shadow else value[pixel] for pixel in pixels}
        free = [pixel for pixel in pixels if pixel not in shadow]
        kept |= {pixel for pixel in free if lit[pixel] == max(lit[other] for other in window(*pixel))}
    inside = [(y, x) for y, x in kept if BORDER <= y < height - BORDER and BORDER <= x < width - BORDER]
    return sorted((p for p in inside if value[p] > 0.005), key=lambda p: (-value[p], p))


def slow_descriptor(cells: Tensor, y: int, x: int) -> Tensor:
    """Bilinear between cells, in double precision; the position stretched as published."""
    _, height, width = cells.shape
    row = (y - 3.5) / (8 * height - 4.5) * (height - 1)
    column = (x - 3.5) / (8 * width - 4.5) * (width - 1)
    total = torch.zeros(len(cells), dtype=torch.float64)
    for i, j in product(range(height), range(width)):
        total += max(0.0, 1 - abs(row - i)) * max(0.0, 1 - abs(column - j)) * cells[:, i, j].double()
    return (total / total.norm()).float()


@torch.inference_mode()
def test_batches_are_identical_to_single_images(both, photo):
    images = torch.cat([photo, photo.flip(3)])
    for together, image in zip(both.network(images, max_keypoints=500), images, strict=True):
        assert_same_ranking(together, both.network(image[None], max_keypoints=500)[0])


def test_weights_go_back_to_transformers_bit_for_bit(both):
    assert isinstance(both.network, SuperPoint)
    back = from_original(both.network.state_dict(), "huggingface")
    expected = both.reference.state_dict()
    assert back.keys() == expected.keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in expected.items())
