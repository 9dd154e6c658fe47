"""Preview of a raster for matching: one or three bands, reduced by an integer factor."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from tiepoint.errors import InvalidInput
from tiepoint.image.rasters import Raster
from tiepoint.io.messages import quote

logger = logging.getLogger(__name__)

MAX_SIDE = 4096  # longer side of the preview in px; features are extracted at 1,024 px by default
ROWS_PER_CHUNK = 64  # rows of the preview that are averaged at once


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """Image for matching.

    Attributes:
        pixels: Values, shape (h, w) or (h, w, 3).
        factor: Number of px of the raster per px of the preview.
        mask: Whether all pixels of the raster below a pixel have data, shape (h, w); None if all have.
    """

    pixels: np.ndarray
    factor: int
    mask: Bool[np.ndarray, "h w"] | None = None

    def to_raster(self, points: np.ndarray) -> np.ndarray:
        """Map points (x, y) of the preview to px of the raster."""
        return self.factor * (points.astype(np.float64) + 0.5) - 0.5

    def from_raster(self, points: np.ndarray) -> np.ndarray:
        """Map points (x, y) of the raster to px of the preview."""
        return (points.astype(np.float64) + 0.5) / self.factor - 0.5


def make_preview(
    raster: Raster,
    bands: Sequence[int] | None = None,
    valid: Bool[np.ndarray, "h w"] | None = None,
    max_side: int = MAX_SIDE,
) -> Preview:
    """Select bands, and average blocks of pixels until the longer side is at most `max_side`.

    Args:
        raster: Image.
        bands: One or three numbers of bands, the first is 1; None uses the first three, or the first one of fewer.
        valid: Pixels with data, shape (h, w); None for all. Others become as dark as the darkest valid one, so that they
            do not use up the contrast.
        max_side: Maximum longer side in px.

    Raises:
        InvalidInput: If a band does not exist, or their number is neither 1 nor 3.
    """
    chosen = _check_bands(raster, bands)
    width, height = raster.image_size
    factor = min(-(-max(width, height) // max_side), width, height)
    pixels = _block_means(raster.pixels, chosen, factor, valid)
    mask = None if valid is None else _block_mask(valid, factor)
    if mask is not None:
        pixels[~mask] = pixels[mask].min(axis=0) if mask.any() else 0
    if raster.is_white_zero:
        pixels = pixels.max() - pixels
    return Preview(pixels[..., 0] if len(chosen) == 1 else pixels, factor, mask)


def _check_bands(raster: Raster, bands: Sequence[int] | None) -> list[int]:
    count = raster.bands.shape[2]
    if bands is None:
        chosen = [0, 1, 2] if count >= 3 else [0]
        if count not in (1, 3):
            used = ", ".join(str(band + 1) for band in chosen)
            logger.info("%s has %d bands; bands %s are matched", quote(raster.source), count, used)
        return chosen
    if len(bands) not in (1, 3):
        raise InvalidInput(f"bands: expected one or three numbers, got {list(bands)}")
    for band in bands:
        if not 1 <= band <= count:
            raise InvalidInput(f"bands: {quote(raster.source)} has bands 1 to {count}, got {band}")
    return [band - 1 for band in bands]


def _block_mask(valid: Bool[np.ndarray, "h w"], factor: int) -> Bool[np.ndarray, "h2 w2"]:
    """Return the blocks of factor x factor pixels that all have data; incomplete blocks are dropped."""
    height, width = valid.shape[0] // factor, valid.shape[1] // factor
    blocks = valid[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return np.asarray(blocks.all(axis=(1, 3)))


def _block_means(
    pixels: np.ndarray, bands: list[int], factor: int, valid: Bool[np.ndarray, "h w"] | None
) -> np.ndarray:
    """Average blocks of factor x factor pixels, of which those without data are masked later, in chunks of rows; incomplete blocks are dropped."""
    if factor == 1:
        return pixels[..., bands]
    height, width = pixels.shape[0] // factor, pixels.shape[1] // factor
    dtype = pixels.dtype if pixels.dtype.kind in "ui" else np.dtype(np.float32)
    means = np.empty((height, width, len(bands)), dtype=dtype)
    for top in range(0, height, ROWS_PER_CHUNK):
        bottom = min(top + ROWS_PER_CHUNK, height)
        rows = slice(top * factor, bottom * factor), slice(0, width * factor)
        values = pixels[(*rows, bands)]
        if valid is not None:
            values = np.where(valid[rows][..., None], values, 0)
        blocks = values.reshape(bottom - top, factor, width, factor, -1)
        mean = blocks.mean(axis=(1, 3), dtype=np.float64)
        means[top:bottom] = np.rint(mean) if dtype.kind in "ui" else mean
    return means
