"""Upsampled sums: the same with tables of samples and with torch's interpolation."""

import pytest
import torch

from tiepoint.models.aliked.padding import Padding
from tiepoint.models.aliked.upsampling import Upsampler, sum_interpolated
from tiepoint.models.row_chunks import Rows


@pytest.mark.parametrize(("height", "width"), [(64, 96), (50, 33), (32, 32)])
def test_tables_equal_interpolation(height: int, width: int) -> None:
    torch.manual_seed(0)
    padding = Padding.for_images(torch.zeros(2, 3, height, width), None)
    columns, rows = padding.padded_size
    levels = [torch.randn(2, 4, rows // stride, columns // stride) for stride in (2, 8, 32)]
    expected = sum_interpolated(levels, torch.Size((rows, columns)))
    torch.testing.assert_close(
        Upsampler(levels, padding).rows(Rows(0, rows, rows)), expected, atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        Upsampler(levels, padding).rows(Rows(3, 9, rows)), expected[:, :, 3:9], atol=1e-5, rtol=0
    )
