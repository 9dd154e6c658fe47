"""Strips give what the whole map gives."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tiepoint.models import row_chunks
from tiepoint.models.row_chunks import Rows, conv_in_row_chunks


@pytest.fixture(params=[1, 40, 100, 1 << 20])
def chunk_pixels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(row_chunks, "CHUNK_PIXELS", request.param)
    return request.param


@pytest.mark.parametrize("height", [1, 2, 7, 31])
def test_a_chain_of_convolutions(chunk_pixels, height):
    chain = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 2, 3, padding=1))
    maps = torch.randn(2, 3, height, 10)
    expected = chain(maps)
    torch.testing.assert_close(conv_in_row_chunks(chain, maps, halo=2), expected, atol=1e-6, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(conv_in_row_chunks(chain, maps, halo=2), expected, atol=1e-6, rtol=1e-5)


def test_maps_of_two_sizes(chunk_pixels):
    convolution = nn.Conv2d(5, 2, 5, padding=2)

    def join(below: torch.Tensor, beside: torch.Tensor) -> torch.Tensor:
        up = F.interpolate(below, scale_factor=2, mode="bilinear", align_corners=False)
        return convolution(torch.cat([up, beside], dim=1))

    below, beside = torch.randn(1, 3, 13, 6), torch.randn(1, 2, 26, 12)
    whole = join(below, beside)
    torch.testing.assert_close(conv_in_row_chunks(join, below, beside, halo=2), whole, atol=1e-6, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(
            conv_in_row_chunks(join, below, beside, halo=2), whole, atol=1e-6, rtol=1e-5
        )


def test_a_halo_that_is_too_small_is_detected(monkeypatch):
    monkeypatch.setattr(row_chunks, "CHUNK_PIXELS", 40)
    chain = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1))
    maps = torch.randn(1, 1, 31, 10)
    assert not torch.allclose(conv_in_row_chunks(chain, maps, halo=1), chain(maps), atol=1e-4)


@pytest.mark.parametrize("height", [1, 6, 64])
def test_chunks_cover_all_rows_once(chunk_pixels, height):
    chunks = list(row_chunks.row_chunks(torch.empty(2, 1, height, 5), multiple=4, min_rows=3))
    assert [row for chunk in chunks for row in range(chunk.top, chunk.bottom)] == list(range(height))
    assert all(chunk.top % 4 == 0 and chunk.height == height for chunk in chunks)


def test_rows_of_maps_of_other_heights_and_of_parts():
    rows = Rows(4, 8, 16)
    assert rows.grow(2) == Rows(2, 10, 16)
    assert Rows(0, 16, 16).grow(2) == Rows(0, 16, 16)
    column = torch.arange(16.0)[:, None]
    assert rows.of(column).flatten().tolist() == [4, 5, 6, 7]
    assert rows.of(column[:8]).flatten().tolist() == [2, 3]
    assert rows.of(column[2:10], inside=rows.grow(2)).flatten().tolist() == [4, 5, 6, 7]
