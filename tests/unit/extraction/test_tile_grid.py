"""Where tiles are cut."""

from itertools import pairwise

import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.extraction import tile_grid
from tiepoint.extraction.tile_grid import Box, check_tiling, split_into_tiles, tile_side


@pytest.mark.parametrize("size", [(1000, 700), (701, 1500), (513, 512), (3000, 90)])
@pytest.mark.parametrize(("stride", "origin"), [(8, (0, 0)), (32, (-12, -3)), (16, (0, -15))])
def test_cores_partition_the_image_and_tiles_lie_on_the_grid(size, stride, origin):
    tiles = split_into_tiles(size, 512, stride=stride, origin=origin, overlap=64)
    owners = torch.zeros(size[1], size[0], dtype=torch.int)
    for tile in tiles:
        owners[tile.core.slices] += 1
        for box in tile:
            for start, end, whole, begin in zip(box[:2], box[2:], size, origin, strict=True):
                assert start == 0 or (start - begin) % stride == 0
                assert end == whole or (end - begin) % stride == 0
                assert 0 <= start < end <= whole
    assert bool((owners == 1).all())
    assert len(tiles) > 1


@pytest.mark.parametrize("size", [(1000, 700), (4096, 4096), (3000, 90)])
def test_no_tile_is_larger_than_asked_and_all_show_their_neighbors(size):
    for tile in split_into_tiles(size, 512, stride=32, origin=(-5, -9), overlap=96):
        shown, core = tile
        assert shown.right - shown.left <= 512
        assert shown.bottom - shown.top <= 512
        assert core.left - shown.left == min(96, core.left)
        assert shown.right - core.right == min(96, size[0] - core.right)


def test_tiles_come_row_by_row():
    tiles = split_into_tiles((900, 900), 512, stride=8, origin=(0, 0), overlap=64)
    assert all((a.core.top, a.core.left) < (b.core.top, b.core.left) for a, b in pairwise(tiles))


def test_a_small_image_is_one_tile():
    (tile,) = split_into_tiles((512, 300), 512, stride=8, origin=(0, 0))
    assert tile.crop == tile.core == Box(0, 0, 512, 300)


def test_a_box_within_another():
    assert Box(10, 20, 30, 50).relative_to(Box(5, 16, 100, 100)) == Box(5, 4, 25, 34)


def test_the_side_of_tiles(monkeypatch):
    monkeypatch.setattr(tile_grid, "MEMORY_BYTES", 10**9)
    assert tile_side(None, (9999, 9999), 100) is None
    assert tile_side(512, (512, 300), 100) is None
    assert tile_side(512, (300, 513), 100) == 512
    assert tile_side("auto", (5000, 2000), 100) is None
    assert tile_side("auto", (5000, 2001), 100) == 3162


@pytest.mark.parametrize("tile", ["auto", None, 512, 4000, torch.tensor(600).numpy()[()]])
def test_tilings(tile):
    assert check_tiling(tile) == tile


@pytest.mark.parametrize("tile", [0, -1, 511, True, 600.0, "512", "AUTO", [512]], ids=str)
def test_invalid_tilings_are_rejected(tile):
    with pytest.raises(InvalidInput, match=r"tile must be .*512") as error:
        check_tiling(tile)
    assert "\n" not in str(error.value)
