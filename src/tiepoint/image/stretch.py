"""Percentile stretch: the range of values that an image uses becomes [0, 1].

Networks were trained with photos that use most of the range. Thermal cameras and sensors of 10 or 12 bits write values
that use a few percent of 16 bits, and physical units (K, reflectance, m) exceed any fixed range.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.image.image_array import ImageArray
from tiepoint.io.messages import quote
from tiepoint.types.image_values import Stretch

logger = logging.getLogger(__name__)

AUTO_PERCENT = 0.5
"""Percentage of values clipped at each end with stretch="auto", and ignored when the used range is measured."""
MIN_USED_RANGE = 0.05
"""Below this fraction of the range, ALIKED finds few keypoints (docs/log.md)."""
MAX_SAMPLES = 1 << 17  # pixels from which percentiles are computed
VALUES_PER_CHUNK = 1 << 22  # converted to float64 at once
MAX_PERCENT = 49.0


def check_stretch(stretch: Any) -> Stretch:
    """Return a stretch option, with numbers as `float`.

    Raises:
        InvalidInput: If the value is not "auto", None, or a percentage from 0 to 49.
    """
    if stretch is None or (isinstance(stretch, str) and stretch == "auto"):
        return stretch
    is_number = isinstance(stretch, Real) and not isinstance(stretch, bool)
    if not is_number or not 0 <= float(stretch) <= MAX_PERCENT:
        raise InvalidInput(
            f"stretch: expected 'auto', None, or a percentage from 0 to {MAX_PERCENT:g}, got {stretch!r}"
        )
    return float(stretch)


def stretch_values(values: np.ndarray, percent: float) -> np.ndarray:
    """Map the values between two percentiles to [0, 1], clip the others, and set NaN to 0.

    Args:
        values: Values of any real dtype, shape (c, h, w); all channels are mapped alike.
        percent: Percentage of values that are clipped at each end.

    Returns:
        Values in [0, 1], float32; zeros if all values are equal.
    """
    low, high = value_range(values, percent)
    if low == high:
        low, high = value_range(values, 0.0)
    scale = 1 / (high - low) if high > low else 0.0
    return np.concatenate([_to_unit_range(part, low, scale) for part in _split_rows(values)], axis=1)


def _to_unit_range(values: np.ndarray, low: float, scale: float) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # infinite values, and 0 * infinity
        scaled = ((values.astype(np.float64) - low) * scale).astype(np.float32)
    return np.nan_to_num(scaled, copy=False, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)


def value_range(values: np.ndarray, percent: float) -> tuple[float, float]:
    """Return the percentiles `percent` and 100 - `percent` of the finite values; (0, 0) if there are none."""
    if percent == 0:
        ranges = [_percentiles(part, 0.0) for part in _split_rows(values)]
        return min(low for low, _ in ranges), max(high for _, high in ranges)
    step = max(1, math.ceil(math.sqrt(values[0].size / MAX_SAMPLES)))
    return _percentiles(values[:, ::step, ::step], percent)


def _percentiles(values: np.ndarray, percent: float) -> tuple[float, float]:
    samples = values.astype(np.float64)
    samples = np.sort(samples[np.isfinite(samples)])
    if len(samples) == 0:
        return 0.0, 0.0
    last = len(samples) - 1
    first = round(percent / 100 * last)
    return float(samples[first]), float(samples[last - first])


def _split_rows(values: np.ndarray) -> Sequence[np.ndarray]:
    rows = max(1, VALUES_PER_CHUNK // values[:, 0].size)
    return [values[:, start : start + rows] for start in range(0, values.shape[1], rows)]


def has_low_contrast(values: np.ndarray) -> bool:
    """Return whether values in [0, 1] use so little of the range that few keypoints are found; not if all are equal."""
    low, high = value_range(values, AUTO_PERCENT)
    return 0 < high - low < MIN_USED_RANGE


def stretch_image(image: ImageArray, stretch: Stretch) -> ImageArray:
    """Stretch an image that was read without."""
    if stretch is None or image.is_stretched:
        return image
    values = image.channels
    if stretch == "auto":
        stretch = AUTO_PERCENT if values.dtype == np.float32 and has_low_contrast(values) else None
    channels = values if stretch is None else stretch_values(values, stretch)
    return replace(image, channels=channels, is_stretched=True)


def warn_about_low_contrast(image: ImageArray) -> None:
    """Log a warning if an image with more than 8 bits uses little of its range."""
    if image.channels.dtype == np.uint8 or image.is_stretched or not has_low_contrast(image.channels[:1]):
        return
    low, high = value_range(image.channels, AUTO_PERCENT)
    logger.warning(
        "%s has low contrast: its values use %.2g %% of their range, so few keypoints can be found; use stretch='auto'",
        quote(image.source) if image.source else "the image",
        100 * (high - low),
    )
