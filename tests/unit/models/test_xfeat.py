"""XFeat with random weights: folded batch norms, sampling positions, borders, sizes, tiles, masks, invalid weights."""

import copy

import pytest
import torch
import torch.nn.functional as F
from tests.helpers.published_xfeat import PublishedXFeat, detect_slowly, random_xfeat
from torch import Tensor

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.extraction.tile_grid import split_into_tiles
from tiepoint.extraction.tiled_detector import TiledDetector
from tiepoint.image import Image
from tiepoint.models.keypoints import Detection
from tiepoint.models.tile import Tile
from tiepoint.models.xfeat import XFeat, build, sampling_positions

SIZES = [(1, 1), (1, 40), (31, 40), (32, 32), (33, 65), (40, 300), (100, 70)]


@pytest.fixture(scope="module")
def published() -> PublishedXFeat:
    return random_xfeat()


@pytest.fixture(scope="module")
def network(published: PublishedXFeat) -> XFeat:
    return build(published.state_dict())


def picture(height: int, width: int, channels: int = 3) -> Tensor:
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(1))


def in_raster_order(found: Detection) -> Detection:
    order = (found.keypoints[:, 1] * 10_000 + found.keypoints[:, 0]).argsort()
    return Detection(*(column[order] for column in found))


@torch.inference_mode()
def test_folded_batch_norms_are_exact(published: PublishedXFeat) -> None:
    double = copy.deepcopy(published).double()
    images = picture(96, 128).double()
    features, logits, reliability = double(images)
    probabilities, (maps,) = build(double.state_dict()).dense_maps(images)
    expected = F.pixel_shuffle(logits.softmax(1)[:, :64], 8)[:, 0]
    torch.testing.assert_close(probabilities, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(maps.reliability.flatten(), reliability.flatten(), rtol=1e-10, atol=1e-12)
    unit = F.normalize(features[0].flatten(1).T, dim=1)
    torch.testing.assert_close(maps.descriptors, unit, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (160, 128)])
@torch.inference_mode()
def test_keypoints_are_those_of_the_published_network(
    published: PublishedXFeat, network: XFeat, size: tuple[int, int]
) -> None:
    images = picture(*size).double()
    (ours,) = copy.deepcopy(network).double()(images, max_keypoints=None)
    keypoints, scores, descriptors = detect_slowly(copy.deepcopy(published).double(), images)
    assert len(keypoints) > 3
    found = in_raster_order(ours)
    assert torch.equal(found.keypoints.double(), keypoints.double())
    torch.testing.assert_close(found.scores, scores, rtol=0, atol=1e-5, check_dtype=False)
    torch.testing.assert_close(found.descriptors, descriptors, rtol=0, atol=1e-4, check_dtype=False)


def test_positions_are_off_by_at_most_half_a_pixel() -> None:
    shape, grid_size = torch.Size((64, 96)), (12, 8)
    pixels = torch.arange(64 * 96)
    rows, columns = pixels // 96, pixels % 96
    exact = torch.stack([(columns + 0.5) / 8 - 0.5, (rows + 0.5) / 8 - 0.5], dim=1)
    shift = sampling_positions(torch.stack([columns, rows], dim=1), shape, grid_size) - exact
    assert float(shift.abs().max()) == pytest.approx(1 / 16)
    corners = sampling_positions(torch.tensor([[0, 0], [95, 63]]), shape, grid_size)
    assert corners.tolist() == [[-0.5, -0.5], [11.5, 7.5]]


def test_the_first_pixel_and_the_last_row_and_column_have_no_keypoints(network: XFeat) -> None:
    scores = torch.zeros(64, 96)
    scores[0, 0] = scores[63, 50] = scores[30, 95] = scores[0, 40] = scores[40, 0] = scores[20, 20] = 0.5
    kept = network.suppress_non_maxima(scores).nonzero().tolist()
    assert kept == [[0, 40], [20, 20], [40, 0]]


def test_candidates_exceed_the_threshold_and_plateaus_are_kept(network: XFeat) -> None:
    scores = torch.zeros(64, 96)
    scores[10, 10], scores[20, 20], scores[40, 40:43], scores[50, 50:52] = (
        0.05,
        0.06,
        0.3,
        torch.tensor([0.2, 0.3]),
    )
    kept = network.suppress_non_maxima(scores)
    assert kept.nonzero().tolist() == [[20, 20], [40, 40], [40, 41], [40, 42], [50, 51]]
    torch.testing.assert_close(kept[kept > 0], torch.tensor([0.06, 0.3, 0.3, 0.3, 0.3]))


@torch.inference_mode()
def test_keypoints_are_ranked_by_probability_times_reliability(network: XFeat) -> None:
    images = picture(96, 128)
    every, some = (network(images, max_keypoints=count)[0] for count in (None, 9))
    assert bool((every.scores[:-1] >= every.scores[1:]).all())
    assert torch.equal(some.keypoints, every.keypoints[:9])
    threshold = float(every.scores[5])
    above = network(images, max_keypoints=None, detection_threshold=threshold)[0]
    assert torch.equal(above.keypoints, every.keypoints[:5])
    assert len(network(images, max_keypoints=0)[0].keypoints) == 0
    with pytest.raises(InvalidInput, match=r"max_keypoints.*-1"):
        network(images, max_keypoints=-1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
@torch.inference_mode()
def test_images_of_any_size(network: XFeat, size: tuple[int, int], channels: int) -> None:
    height, width = size
    keypoints, scores, descriptors = network(picture(*size, channels), max_keypoints=None)[0]
    count = len(keypoints)
    assert (keypoints.shape, scores.shape, descriptors.shape) == ((count, 2), (count,), (count, 64))
    assert bool((keypoints >= 0).all())
    assert bool((keypoints <= torch.tensor([width, height])).all())
    assert bool((scores > 0).all())
    torch.testing.assert_close(descriptors.norm(dim=1), torch.ones(count))


@torch.inference_mode()
def test_a_long_and_narrow_image(network: XFeat) -> None:
    (found,) = network(picture(20, 4000), max_keypoints=None)
    assert len(found.keypoints) > 50
    assert float(found.keypoints[:, 0].max()) > 3900
    assert float(found.keypoints[:, 1].max()) < 20


@torch.inference_mode()
def test_other_sizes_are_resized_and_keypoints_scaled_back(network: XFeat) -> None:
    images = picture(75, 140)
    resized = F.interpolate(images, (64, 128), mode="bilinear", align_corners=False)
    (found,), (expected,) = network(images), network(resized)
    torch.testing.assert_close(found.keypoints, expected.keypoints * torch.tensor([140 / 128, 75 / 64]))
    torch.testing.assert_close(found.descriptors, expected.descriptors)


@torch.inference_mode()
def test_gray_images_are_their_color_images_and_the_range_does_not_matter(network: XFeat) -> None:
    gray = picture(64, 96, 1)
    expected = in_raster_order(network(gray)[0])
    color = in_raster_order(network(gray.expand(-1, 3, -1, -1))[0])
    torch.testing.assert_close(color, expected, rtol=0, atol=1e-4)
    darker = in_raster_order(network(0.25 + gray / 2)[0])
    same = (darker.keypoints[:, None] == expected.keypoints).all(dim=2)
    assert float(same.any(dim=0).float().mean()) > 0.95


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (64, 96), (50, 70)])
@torch.inference_mode()
def test_a_blank_image_has_no_keypoints(network: XFeat, value: float, size: tuple[int, int]) -> None:
    keypoints, scores, descriptors = network(torch.full((1, 3, *size), value))[0]
    assert (keypoints.shape, scores.shape, descriptors.shape) == ((0, 2), (0,), (0, 64))
    assert keypoints.dtype == scores.dtype == descriptors.dtype == torch.float32


@torch.inference_mode()
def test_an_image_of_nan_has_no_keypoints_and_does_not_change_its_batch(network: XFeat) -> None:
    images = picture(64, 96).repeat(2, 1, 1, 1)
    images[1, :, 10, 10] = torch.nan
    first, second = network(images)
    assert torch.equal(first.keypoints, network(images[:1])[0].keypoints)
    assert len(second.keypoints) == 0


@torch.inference_mode()
def test_batches_are_identical_to_single_images(network: XFeat) -> None:
    images = torch.rand(3, 3, 70, 100, generator=torch.Generator().manual_seed(2))
    images[1] = 0.3
    for together, alone in zip(network(images), [network(one[None])[0] for one in images], strict=True):
        assert torch.equal(together.keypoints, alone.keypoints)
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_masks_of_resized_images_forbid_every_pixel_that_touches_them(network: XFeat) -> None:
    images, mask = picture(100, 140), torch.ones(1, 100, 140, dtype=torch.bool)
    mask[:, 30:60, 40:90] = False
    (found,) = network(images, max_keypoints=None, masks=mask)
    columns, rows = found.keypoints.round().long().unbind(dim=1)
    assert len(found.keypoints) > 10
    assert bool(mask[0][rows, columns].all())


@torch.inference_mode()
def test_statistics_of_tiles_are_those_of_the_whole_image(network: XFeat) -> None:
    images = picture(96, 320)
    whole = Tile.whole(images)
    tiles = [whole._replace(left=left, core=(left, 0, left + 160, 96)) for left in (0, 160)]
    parts = [(images[..., tile.left : tile.left + 200], tile) for tile in tiles]
    mean, variance = network.global_context(iter(parts))
    assert float(mean) == pytest.approx(float(images.mean(1).mean()), rel=1e-6)
    assert float(variance) == pytest.approx(float(images.mean(1).var(correction=0)), rel=1e-5)
    plain = network.dense_maps(images)
    tiled = network.dense_maps(images, whole._replace(context=torch.stack([mean, variance])))
    torch.testing.assert_close(tiled[0], plain[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(tiled[1], plain[1], rtol=0, atol=1e-4)


@torch.inference_mode()
def test_tiles_find_the_keypoints_of_the_whole_image(network: XFeat) -> None:
    images = picture(352, 448)
    images[..., 200:] *= 0.2  # tiles of their own have other means and variances
    (expected,) = network(images, max_keypoints=None)
    tiles = split_into_tiles((448, 352), 352, stride=32, origin=(0, 0), overlap=128)
    detector = TiledDetector(network, device=torch.device("cpu"), max_keypoints=None, detection_threshold=0.0)
    found = detector.detect(Image(pixels=images[0]), tiles)
    assert len(tiles) > 1
    distances, partners = torch.cdist(found.keypoints.double(), expected.keypoints.double()).min(dim=1)
    assert float((distances < 0.01).float().mean()) > 0.9
    same = distances < 0.01
    assert float((found.scores - expected.scores[partners])[same].abs().median()) < 1e-3


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda state: state.pop("block2.0.layer.0.weight"), "block2.0"),
        (lambda state: state.pop("block2.0.layer.1.running_var"), "running_var"),
        (lambda state: state.update(extra=torch.zeros(1)), "extra"),
        (lambda state: state.update({"skip1.1.weight": torch.zeros(24, 3, 1, 1)}), "skip1"),
    ],
)
def test_wrong_weights_are_refused(published: PublishedXFeat, change, name: str) -> None:
    state = dict(published.state_dict())
    change(state)
    with pytest.raises(WeightsError, match=name):
        build(state)


def test_own_parameters_are_accepted_and_the_fine_matcher_is_ignored(
    published: PublishedXFeat, network: XFeat
) -> None:
    again = build(network.state_dict())
    with_matcher = build(published.state_dict() | {"fine_matcher.0.weight": torch.zeros(512, 128)})
    for other in (again, with_matcher):
        for name, tensor in network.state_dict().items():
            assert torch.equal(other.state_dict()[name], tensor), name
