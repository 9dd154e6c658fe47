"""What each detector does with masks, and with a part of an image: small random networks, sizes off every grid."""

import copy
from dataclasses import replace

import pytest
import torch
from tests.helpers.published_xfeat import random_xfeat
from tests.helpers.random_networks import draw_superpoint
from tests.helpers.tiny_detectors import tiny_dad_dedode, tiny_raco_aliked
from torch import Tensor, nn

from tiepoint.extraction.tile_grid import split_into_tiles
from tiepoint.extraction.tiled_detector import TiledDetector
from tiepoint.image import Image
from tiepoint.models.aliked.network import ALIKED, ALIKEDConfig
from tiepoint.models.described_detector import DescribedDetector
from tiepoint.models.detector import split_masks
from tiepoint.models.disk import DISK, DISKConfig
from tiepoint.models.keypoints import Detection
from tiepoint.models.superpoint.network import SuperPoint, SuperPointShape
from tiepoint.models.tile import Tile
from tiepoint.models.xfeat import build as build_xfeat

SUPERPOINT = SuperPointShape(widths=(8, 8, 16, 16), head_width=32, dim=24)


def aliked() -> nn.Module:
    """Its coarsest level looks far, as that of the published networks does."""
    network = ALIKED(ALIKEDConfig(widths=(4, 4, 8, 8), dim=16, positions=4))
    nn.init.normal_(network.block4.conv1.offset_conv.bias, std=3)
    nn.init.normal_(network.block4.conv2.offset_conv.bias, std=3)
    return network


def superpoint(shape: SuperPointShape = SUPERPOINT) -> nn.Module:
    network = SuperPoint(shape)
    draw_superpoint(network, torch.rand(1, 96, 128))
    return network


NETWORKS = {
    "aliked": aliked,
    "disk": lambda: DISK(DISKConfig(down=(4, 4, 6, 6, 8), up=(6, 6, 4), dim=12)),
    "superpoint": superpoint,
    "superpoint-open": lambda: superpoint(replace(SUPERPOINT, batch_norm=True)),
    "xfeat": lambda: build_xfeat(random_xfeat().state_dict()),
    "raco-aliked": tiny_raco_aliked,
    "dad-dedode-b": tiny_dad_dedode,
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[request.param]().eval()


@pytest.fixture(scope="module", params=[name for name in NETWORKS if name not in ("disk", "xfeat")])
def local_network(request: pytest.FixtureRequest) -> nn.Module:
    """DISK's instance norm sees the whole image, and XFeat's coarsest maps see further than tiles overlap."""
    torch.manual_seed(0)
    return NETWORKS[request.param]().eval()


def picture(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))


def fitting_picture(network: nn.Module, height: int, width: int) -> Tensor:
    """Return a picture whose sides are the next multiples of those that the dense maps of the network need."""
    multiple = network.size_multiple
    return picture(*(-(-side // multiple) * multiple for side in (height, width)))


def inside(mask: Tensor, keypoints: Tensor) -> Tensor:
    columns, rows = keypoints.round().long().unbind(dim=1)
    return mask[rows, columns]


@torch.inference_mode()
def test_each_image_of_a_batch_has_its_own_mask(network: nn.Module) -> None:
    images = torch.cat([picture(70, 90), picture(70, 90).flip(2)])
    masks = torch.rand(2, 9, 10, generator=torch.Generator().manual_seed(2)) < 0.5
    masks = masks.repeat_interleave(8, dim=1).repeat_interleave(9, dim=2)[:, :70]
    for mask, found in zip(masks, network(images, max_keypoints=None, masks=masks), strict=True):
        assert len(found.keypoints) > 0
        assert bool(inside(mask, found.keypoints).all())


@torch.inference_mode()
def test_keypoints_far_from_the_mask_edge_do_not_change(network: nn.Module) -> None:
    images, mask = picture(96, 128), torch.zeros(96, 128, dtype=torch.bool)
    mask[20:90, 10:70] = True
    plain, masked = (network(images, max_keypoints=None, masks=m)[0] for m in (None, mask[None]))
    reach = 5 * network.nms_radius  # of suppression, in three passes

    def core(found: Detection) -> list[Tensor]:
        x, y = found.keypoints.unbind(dim=1)
        far = (x > 10 + reach) & (x < 69 - reach) & (y > 20 + reach) & (y < 89 - reach)
        return [column[far] for column in found]

    assert len(core(plain)[0]) > 0
    for expected, column in zip(core(plain), core(masked), strict=True):
        torch.testing.assert_close(column, expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_all_keypoints_are_inside_the_mask(network: nn.Module) -> None:
    images, mask = picture(96, 128), torch.zeros(1, 96, 128, dtype=torch.bool)
    mask[..., 64:] = True
    every = network(images, max_keypoints=None, masks=mask)[0]
    some = network(images, max_keypoints=15, masks=mask)[0]
    assert len(some.keypoints) == 15
    torch.testing.assert_close(some.keypoints, every.keypoints[:15])


@torch.inference_mode()
def test_a_mask_that_forbids_everything(network: nn.Module) -> None:
    (found,) = network(picture(64, 80), masks=torch.zeros(1, 64, 80, dtype=torch.bool))
    assert found.keypoints.shape == (0, 2)
    assert found.descriptors.shape == (0, network.descriptor_dim)


@torch.inference_mode()
def test_a_tile_of_the_whole_image_changes_nothing(network: nn.Module) -> None:
    images = fitting_picture(network, 70, 90)
    plain, windowed = network.dense_maps(images), network.dense_maps(images, Tile.whole(images))
    torch.testing.assert_close(plain[0], windowed[0])
    pixels = torch.arange(4000, 4100)
    expected = network.keypoints_at(pixels, plain[0][0], plain[1][0])
    found = network.keypoints_at(pixels, windowed[0][0], windowed[1][0], tile=Tile.whole(images))
    torch.testing.assert_close(tuple(found), tuple(expected))


@pytest.mark.parametrize("size", [(330, 410), (257, 640)])
@torch.inference_mode()
def test_tiles_are_identical_to_the_whole_image(local_network: nn.Module, size: tuple[int, int]) -> None:
    network, images = local_network, fitting_picture(local_network, *size)
    size = (images.shape[2], images.shape[3])
    (expected,) = network(images, max_keypoints=500, detection_threshold=0.0)
    grid = {"stride": network.stride, "origin": network.grid_origin(size[::-1])}
    tiles = split_into_tiles(size[::-1], 352, **grid, overlap=128)
    detector = TiledDetector(network, device=torch.device("cpu"), max_keypoints=500, detection_threshold=0.0)
    found = detector.detect(Image(pixels=images[0]), tiles)
    assert len(tiles) > 1
    distances, partners = torch.cdist(found.keypoints.double(), expected.keypoints.double()).min(dim=1)
    same = distances < 0.01
    assert float(same.float().mean()) > 0.99
    assert float((found.scores - expected.scores[partners])[same].abs().max()) < 1e-4
    assert float((found.descriptors * expected.descriptors[partners]).sum(dim=1)[same].min()) > 0.9999


@torch.inference_mode()
def test_disk_tiles_are_finite() -> None:
    """Every keypoint lies in the core it belongs to; a blank tile of an image that is not blank stays finite."""
    torch.manual_seed(0)
    network, images = NETWORKS["disk"]().eval(), picture(200, 420)
    images[..., 210:] = 0.5
    tiles = split_into_tiles((420, 200), 208, stride=16, origin=(0, 0), overlap=64)
    detector = TiledDetector(network, device=torch.device("cpu"), max_keypoints=None, detection_threshold=0.0)
    found = detector.detect(Image(pixels=images[0]), tiles)
    assert len(found.keypoints) > 100
    assert bool(found.descriptors.isfinite().all())


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-4), (torch.float16, 0.02), (torch.bfloat16, 0.25)]
)
@torch.inference_mode()
def test_half_and_double_precision_are_about_float32(
    network: nn.Module, dtype: torch.dtype, tolerance: float
) -> None:
    images, pixels = fitting_picture(network, 70, 90), torch.arange(4000, 4100)
    other = copy.deepcopy(network).to(dtype)
    (scores, features), (other_scores, other_features) = (n.dense_maps(images) for n in (network, other))
    spread = float(scores.std())
    assert float((other_scores - scores).abs().mean()) < tolerance * spread
    expected = network.keypoints_at(pixels, scores[0], features[0])
    found = other.keypoints_at(pixels, scores[0].to(other_scores.dtype), other_features[0])
    refined_by_features = isinstance(network, DescribedDetector)  # by logits, which depend on the precision
    atol = tolerance if refined_by_features else 1e-5
    torch.testing.assert_close(found.keypoints.float(), expected.keypoints, rtol=1e-6, atol=atol)
    assert float((found.descriptors.float() * expected.descriptors).sum(dim=1).mean()) > 1 - tolerance


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [(20, 2200), (4, 4)])
@torch.inference_mode()
def test_half_precision_outputs_are_float32_up_to_the_right_border(
    network: nn.Module, dtype: torch.dtype, size: tuple[int, int]
) -> None:
    image = picture(*(max(side, network.stride if network.size_multiple > 1 else 1) for side in size))
    (found,) = copy.deepcopy(network).to(dtype)(image, max_keypoints=None)
    assert {column.dtype for column in found} == {torch.float32}
    assert all(bool(column.isfinite().all()) for column in found)
    torch.testing.assert_close(found.descriptors.norm(dim=1), torch.ones(len(found.scores)))
    if size[1] == 2200:
        assert 2150 < float(found.keypoints.max()) <= 2199
        assert bool((found.keypoints[:, 0].round() % 2 == 1).any())  # float16 has only even values above 2048


@torch.inference_mode()
def test_tiles_in_half_precision(network: nn.Module) -> None:
    half, images = copy.deepcopy(network).half(), fitting_picture(network, 64, 420)
    size = (images.shape[3], images.shape[2])
    tiles = split_into_tiles(size, 288, stride=32, origin=half.grid_origin(size), overlap=64)
    detector = TiledDetector(half, device=torch.device("cpu"), max_keypoints=100, detection_threshold=0.0)
    found = detector.detect(Image(pixels=images[0]), tiles)
    assert len(tiles) > 1
    assert len(found.keypoints) == 100
    assert {column.dtype for column in found} == {torch.float32}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.inference_mode()
def test_autocast_changes_nothing(network: nn.Module, dtype: torch.dtype) -> None:
    expected = network(picture(70, 90))
    with torch.autocast("cpu", dtype):
        found = network(picture(70, 90))
        assert torch.is_autocast_enabled("cpu")
    for column, other in zip(expected[0], found[0], strict=True):
        assert torch.equal(column, other)


def test_masks_are_split_per_image():
    assert split_masks(None, 3) == [None, None, None]
    masks = torch.rand(2, 3, 4) < 0.5
    assert all(torch.equal(a, b) for a, b in zip(split_masks(masks, 2), masks, strict=True))
