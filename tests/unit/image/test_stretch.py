"""Percentile stretch: ranges, and when an image needs it."""

import logging
import math
from typing import Any

import numpy as np
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, read_image
from tiepoint.image.stretch import (
    check_stretch,
    has_low_contrast,
    stretch_image,
    stretch_values,
    value_range,
    warn_about_low_contrast,
)

RAMP = torch.arange(1000, dtype=torch.float64).view(1, 20, 50)


@pytest.mark.parametrize(
    ("value", "expected"), [(None, None), ("auto", "auto"), (0, 0.0), (np.float32(2), 2.0)]
)
def test_valid_options(value: Any, expected: Any) -> None:
    assert check_stretch(value) == expected
    assert type(check_stretch(value)) is type(expected)


@pytest.mark.parametrize("value", [-1, 50, True, "full", math.nan, [1]])
def test_invalid_options(value: Any) -> None:
    with pytest.raises(InvalidInput, match="stretch: expected 'auto', None, or a percentage from 0 to 49"):
        check_stretch(value)


@pytest.mark.parametrize(("percent", "expected"), [(0, (0, 999)), (1, (10, 989)), (25, (250, 749))])
def test_ranges_are_percentiles_of_finite_values(percent: float, expected: tuple[float, float]) -> None:
    values = torch.cat([RAMP, torch.full((1, 20, 50), torch.nan)], dim=2)
    assert value_range(values, percent) == pytest.approx(expected, abs=1)
    assert value_range(torch.full((1, 2, 2), torch.inf), percent) == (0, 0)


@pytest.mark.parametrize(
    "dtype",
    [torch.uint8, torch.int16, torch.uint16, torch.int64, torch.float16, torch.float32, torch.float64],
)
def test_any_dtype_becomes_the_unit_range(dtype: torch.dtype) -> None:
    values = torch.arange(200, dtype=torch.int64).view(1, 10, 20).to(dtype)
    stretched = stretch_values(values, 10)
    assert stretched.dtype == torch.float32
    expected = ((torch.arange(200.0).view(1, 10, 20) - 20) / 159).clamp(0, 1)
    torch.testing.assert_close(stretched, expected, atol=1e-6, rtol=0)


def test_large_offsets_keep_small_differences() -> None:
    values = 1e9 + RAMP
    torch.testing.assert_close(stretch_values(values, 0), (RAMP / 999).float())


def test_nan_becomes_black_and_outliers_are_clipped() -> None:
    values = RAMP.clone()
    values[0, 0, :3] = torch.tensor([torch.nan, -1e9, torch.inf])
    stretched = stretch_values(values, 1)
    assert stretched[0, 0, :3].tolist() == [0, 0, 1]
    assert 0.4 < float(stretched.mean()) < 0.6


def test_blank_and_almost_blank_images() -> None:
    assert not stretch_values(torch.full((1, 4, 4), 7.0), 1).any()
    spots = torch.zeros(1, 50, 50)
    spots[0, :2, 0] = 9.0  # fewer than 1 %: their range is used, rather than none
    assert sorted(set(stretch_values(spots, 1).flatten().tolist())) == [0, 1]


def test_large_images_are_sampled_in_both_axes() -> None:
    gradient = torch.linspace(0, 1, 3000)[:, None].expand(3000, 1000)[None]
    for values in (gradient, gradient.transpose(1, 2)):
        assert value_range(values, 10) == pytest.approx((0.1, 0.9), abs=0.01)


@pytest.mark.parametrize(("bits", "is_low"), [(10, True), (11, True), (12, False), (16, False)])
def test_low_contrast_is_a_small_share_of_the_range(bits: int, is_low: bool) -> None:
    values = (RAMP / 999 * (2**bits - 1) / 65535).float()
    values[0, 0, 0] = 1  # a dead pixel hides nothing
    assert has_low_contrast(values) == is_low
    assert not has_low_contrast(torch.full((1, 3, 3), 0.5))


def test_warnings_name_the_image_the_share_and_the_option(caplog: pytest.LogCaptureFixture) -> None:
    thermal = (29300 + RAMP / 2).to(torch.uint16)[0]
    image = read_image(thermal)
    with caplog.at_level(logging.WARNING):
        warn_about_low_contrast(Image(pixels=image.pixels, source="hot.tif"))
    assert len(caplog.messages) == 1
    for text in ("'hot.tif'", "0.76 %", "stretch='auto'"):
        assert text in caplog.text
    caplog.clear()
    for silent in (stretch_image(image, "auto"), read_image(np.full((9, 9), 40, np.uint8))):
        warn_about_low_contrast(silent)
    assert not caplog.messages


def test_auto_stretches_only_what_needs_it() -> None:
    full, low = (read_image((RAMP[0] * factor).to(torch.uint16)) for factor in (65, 1))
    dark = read_image(np.arange(20, dtype=np.uint8).reshape(4, 5))
    assert stretch_image(full, "auto").pixels is full.pixels
    assert stretch_image(dark, "auto").pixels is dark.pixels
    assert float(stretch_image(low, "auto").pixels.max()) == 1
    assert float(stretch_image(dark, 0).pixels.max()) == 1
    assert stretch_image(low, None) is low
