"""Tiles of any size over images of any size give what the whole image gives."""

import pytest
import torch
from hypothesis import given, settings, strategies as st
from tests.helpers.fake_networks import IdentityDetector, NoisyDetector

from tiepoint.extraction.tile_grid import split_into_tiles
from tiepoint.extraction.tiled_detector import TiledDetector
from tiepoint.image import Image
from tiepoint.models.keypoints import Detection

OVERLAP = 16
"""More than suppression reaches: 2 px, in three passes 10 px."""

sides = st.integers(1, 200)
tile_sides = st.integers(2 * OVERLAP + 8, 120)
budgets = st.none() | st.integers(1, 300)


def noise(width: int, height: int, levels: int) -> Image:
    """Few levels make many ties."""
    generator = torch.Generator().manual_seed(width * height + levels)
    pixels = torch.randint(0, levels, (3, height, width), generator=generator)
    return Image(pixels=pixels.to(torch.uint8))


def in_tiles(network: IdentityDetector, image: Image, side: int, max_keypoints: int | None) -> Detection:
    grid = {"stride": network.stride, "origin": network.grid_origin(image.image_size)}
    detector = TiledDetector(
        network, device=torch.device("cpu"), max_keypoints=max_keypoints, detection_threshold=0.0
    )
    return detector.detect(image, split_into_tiles(image.image_size, side, **grid, overlap=OVERLAP))


@settings(max_examples=60)
@given(width=sides, height=sides, side=tile_sides, levels=st.sampled_from([2, 9, 256]), budget=budgets)
@pytest.mark.slow
def test_the_whole_and_its_tiles_give_the_same(
    width: int, height: int, side: int, levels: int, budget: int | None
) -> None:
    image = noise(width, height, levels)
    found = in_tiles(IdentityDetector(), image, side, budget)
    blank = bool((image.pixels == image.pixels[:, :1, :1]).all())  # networks find nothing in a blank image
    (expected,) = IdentityDetector()(
        image.pixels[None] / 255, max_keypoints=0 if blank else budget, detection_threshold=0.0
    )
    assert torch.equal(found.keypoints, expected.keypoints)
    torch.testing.assert_close(found.descriptors, expected.descriptors)


@settings(max_examples=30)
@given(width=sides, height=sides, side=tile_sides)
@pytest.mark.slow
def test_no_two_keypoints_are_too_close(width: int, height: int, side: int) -> None:
    found = in_tiles(NoisyDetector(), noise(width, height, 256), side, None)
    distances = (found.keypoints[:, None] - found.keypoints).abs().amax(dim=2)
    assert int((distances <= NoisyDetector.nms_radius).sum()) == len(found.keypoints)
    assert bool((found.scores[:-1] >= found.scores[1:]).all())


@settings(max_examples=60)
@given(
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
    side=st.integers(384, 3000),
    stride=st.sampled_from([8, 16, 32]),
    data=st.data(),
)
def test_cores_partition_any_image(
    width: int, height: int, side: int, stride: int, data: st.DataObject
) -> None:
    origin = (data.draw(st.integers(1 - stride, 0)), data.draw(st.integers(1 - stride, 0)))
    tiles = split_into_tiles((width, height), side, stride=stride, origin=origin)
    area = sum((core.right - core.left) * (core.bottom - core.top) for _, core in tiles)
    assert area == width * height
    corners = {(core.left, core.top) for _, core in tiles}
    assert len(corners) == len(tiles)
    assert all(max(box.right - box.left, box.bottom - box.top) <= side for box, _ in tiles)
