"""Percentile stretch: ranges, and when an image needs it."""

import logging
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.image.array_reading import read_array
from tiepoint.image.stretch import (
    check_stretch,
    has_low_contrast,
    stretch_image,
    stretch_values,
    value_range,
    warn_about_low_contrast,
)

RAMP = np.arange(1000.0).reshape(1, 20, 50)


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
    values = np.concatenate([RAMP, np.full((1, 20, 50), np.nan)], axis=2)
    assert value_range(values, percent) == pytest.approx(expected, abs=1)
    assert value_range(np.full((1, 2, 2), np.inf), percent) == (0, 0)


@pytest.mark.parametrize(
    "dtype",
    [np.uint8, np.int16, np.uint16, np.uint32, np.int64, np.float16, np.float32, np.float64],
)
def test_any_dtype_becomes_the_unit_range(dtype: type[np.generic]) -> None:
    values = np.arange(200).reshape(1, 10, 20).astype(dtype)
    stretched = stretch_values(values, 10)
    assert stretched.dtype == np.float32
    expected = ((np.arange(200.0).reshape(1, 10, 20) - 20) / 159).clip(0, 1)
    np.testing.assert_allclose(stretched, expected, atol=1e-6)


def test_large_offsets_keep_small_differences() -> None:
    values = 1e9 + RAMP
    np.testing.assert_allclose(stretch_values(values, 0), RAMP / 999, atol=1e-6)


def test_nan_becomes_black_and_outliers_are_clipped() -> None:
    values = RAMP.copy()
    values[0, 0, :3] = [np.nan, -1e9, np.inf]
    stretched = stretch_values(values, 1)
    assert stretched[0, 0, :3].tolist() == [0, 0, 1]
    assert 0.4 < float(stretched.mean()) < 0.6


def test_blank_and_almost_blank_images() -> None:
    assert not stretch_values(np.full((1, 4, 4), 7.0), 1).any()
    spots = np.zeros((1, 50, 50))
    spots[0, :2, 0] = 9.0  # fewer than 1 %: their range is used, rather than none
    assert sorted(set(stretch_values(spots, 1).ravel().tolist())) == [0, 1]


def test_large_images_are_sampled_in_both_axes() -> None:
    gradient = np.broadcast_to(np.linspace(0, 1, 3000)[:, None], (3000, 1000))[None]
    for values in (gradient, gradient.transpose(0, 2, 1)):
        assert value_range(values, 10) == pytest.approx((0.1, 0.9), abs=0.01)


@pytest.mark.parametrize(("bits", "is_low"), [(10, True), (11, True), (12, False), (16, False)])
def test_low_contrast_is_a_small_share_of_the_range(bits: int, is_low: bool) -> None:
    values = (RAMP / 999 * (2**bits - 1) / 65535).astype(np.float32)
    values[0, 0, 0] = 1  # a dead pixel hides nothing
    assert has_low_contrast(values) == is_low
    assert not has_low_contrast(np.full((1, 3, 3), 0.5))


def test_warnings_name_the_image_the_share_and_the_option(caplog: pytest.LogCaptureFixture) -> None:
    thermal = (29300 + RAMP / 2).astype(np.uint16)[0]
    image = read_array(thermal)
    with caplog.at_level(logging.WARNING):
        warn_about_low_contrast(replace(image, source="hot.tif"))
    assert len(caplog.messages) == 1
    for text in ("'hot.tif'", "0.76 %", "stretch='auto'"):
        assert text in caplog.text
    caplog.clear()
    for silent in (stretch_image(image, "auto"), read_array(np.full((9, 9), 40, np.uint8))):
        warn_about_low_contrast(silent)
    assert not caplog.messages


def test_auto_stretches_only_what_needs_it() -> None:
    full, low = (read_array((RAMP[0] * factor).astype(np.uint16)) for factor in (65, 1))
    dark = read_array(np.arange(20, dtype=np.uint8).reshape(4, 5))
    assert stretch_image(full, "auto").channels is full.channels
    assert stretch_image(dark, "auto").channels is dark.channels
    assert float(stretch_image(low, "auto").channels.max()) == 1
    assert float(stretch_image(dark, 0).channels.max()) == 1
    assert stretch_image(low, None) is low
