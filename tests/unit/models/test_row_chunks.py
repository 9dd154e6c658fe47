"""Strips give what the whole map gives."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tiepoint.models import row_chunks
from tiepoint.models.row_chunks import conv_in_row_chunks


@pytest.fixture(params=[1, 40, 100, 1 << 20])
def chunk_pixels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(row_chunks, "CHUNK_PIXELS", request.param)
    return request.param


@pytest.mark.parametrize("height", [1, 2, 7, 31])
def test_a_chain_of_convolutions(chunk_pixels, height):
    chain = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 2, 3, padding=1))
    maps = torch.randn(2, 3, height, 10)
    torch.testing.assert_close(conv_in_row_chunks(chain, maps, halo=2), chain(maps), atol=1e-6, rtol=1e-5)


def test_maps_of_two_sizes(chunk_pixels):
    convolution = nn.Conv2d(5, 2, 5, padding=2)

    def join(below: torch.Tensor, beside: torch.Tensor) -> torch.Tensor:
        up = F.interpolate(below, scale_factor=2, mode="bilinear", align_corners=False)
        return convolution(torch.cat([up, beside], dim=1))

    below, beside = torch.randn(1, 3, 13, 6), torch.randn(1, 2, 26, 12)
    whole = join(below, beside)
    torch.testing.assert_close(conv_in_row_chunks(join, below, beside, halo=2), whole, atol=1e-6, rtol=1e-5)


def test_a_halo_that_is_too_small_is_detected(monkeypatch):
    monkeypatch.setattr(row_chunks, "CHUNK_PIXELS", 40)
    chain = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1))
    maps = torch.randn(1, 1, 31, 10)
    assert not torch.allclose(conv_in_row_chunks(chain, maps, halo=1), chain(maps), atol=1e-4)
