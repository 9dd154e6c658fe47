"""Composition of a panorama, tile by tile: multi-band blending of the images along their seams.

A tile is blended with a margin as wide as the lowest band, so that tiles fit together. Memory depends on the side of a
tile, not on the number or size of the images.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from tiepoint.image.resampling import Tile
from tiepoint.io.progress import ProgressCallback
from tiepoint.stitching.canvas import Canvas, shows, warp
from tiepoint.stitching.rotations import import_cv2
from tiepoint.stitching.seams import Shares
from tiepoint.stitching.views import View

NUM_BANDS = 5
MARGIN = 4 << NUM_BANDS  # px around a tile on which its pixels depend, by the lowest band
TILE_SIDE = 2048  # a multiple of 2^NUM_BANDS, so that the pyramids of all tiles have the same grid
MAX_EXTENSION_LEVELS = NUM_BANDS + 3  # of the pyramid that continues images beyond their borders
MIN_WEIGHT = 1e-6  # of known pixels, from which on a mean is taken

ReadPixels = Callable[[int], UInt8[np.ndarray, "h w c"]]
"""Returns the pixels of an image by its number, with 255 as fourth channel where it is visible if not everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Layer:
    """Image in a tile: colors, where it is known, and where the panorama shows it."""

    colors: UInt8[np.ndarray, "t u 3"]
    known: UInt8[np.ndarray, "t u"]
    shown: UInt8[np.ndarray, "t u"]


def compose(
    views: Sequence[View],
    shares: Shares,
    read_pixels: ReadPixels,
    progress: ProgressCallback,
    *,
    tile_side: int = TILE_SIDE,
) -> UInt8[np.ndarray, "h w 4"]:
    """Blend all images.

    Args:
        views: View of each image.
        shares: Seams and gains.
        read_pixels: Reader of the images.
        progress: Callback that shows the progress.
        tile_side: Side of the tiles in px, a multiple of 32.

    Returns:
        RGBA; alpha is 0 where no image shows anything.
    """
    canvas = shares.canvas
    panorama = np.zeros((canvas.height, canvas.width, 4), dtype=np.uint8)
    rois = [canvas.roi(view) for view in views]
    tiles = list(canvas.tiles(tile_side))
    with progress("blending tiles", len(tiles)) as advance:
        for tile in tiles:
            outer = _expanded(tile, canvas)
            near = [number for number, roi in enumerate(rois) if canvas.shifts(roi, outer)]
            blended = _blend(_layers(views, shares, near, outer, read_pixels), outer)
            left, top = tile.left - outer.left, tile.top - outer.top
            panorama[tile.slices] = blended[top : top + tile.height, left : left + tile.width]
            advance(1)
    return panorama


def _layers(
    views: Sequence[View], shares: Shares, numbers: Sequence[int], tile: Tile, read_pixels: ReadPixels
) -> list[_Layer]:
    """Layers that a tile needs: images that it shows, and those that fill gaps between them. Others are not read."""
    masks = {number: shares.mask(number, tile) for number in numbers}
    layers = [
        _layer(views[number], shares, number, tile, mask, read_pixels(number))
        for number, mask in masks.items()
        if mask.any()
    ]
    gap = np.ones((tile.height, tile.width), dtype=bool)
    for layer in layers:
        gap &= layer.known == 0
    for number, mask in masks.items():
        if not mask.any() and (gap & shows(views[number], shares.canvas, tile)).any():
            layers.append(_layer(views[number], shares, number, tile, mask, read_pixels(number)))
            gap &= layers[-1].known == 0
    return layers


def _layer(
    view: View,
    shares: Shares,
    number: int,
    tile: Tile,
    mask: UInt8[np.ndarray, "t u"],
    pixels: UInt8[np.ndarray, "h w c"],
) -> _Layer:
    colors, known = warp(view, shares.canvas, tile, pixels)
    gains = shares.gains(number, tile)
    if isinstance(gains, np.ndarray) or gains != 1:
        factors = gains[..., None] if isinstance(gains, np.ndarray) else gains
        colors = np.clip(np.rint(colors * factors), 0, 255).astype(np.uint8)
    return _Layer(colors=colors, known=known, shown=mask & known)


def _blend(layers: Sequence[_Layer], tile: Tile) -> UInt8[np.ndarray, "t u 4"]:
    """Blend the layers of a tile; where seams leave a gap, the first image that knows the pixel fills it.

    The low bands of an image reach beyond its borders. There all images continue in the same way, as the other images and
    smoothly beyond them, so that images that agree are copied, and borders have no halo.
    """
    size = (tile.height, tile.width)
    covered = np.zeros(size, dtype=np.uint8)
    for layer in layers:
        covered |= layer.shown
    base = np.zeros((*size, 3), dtype=np.uint8)
    filled = np.zeros(size, dtype=np.uint8)
    masks: list[UInt8[np.ndarray, "t u"]] = []
    for layer in layers:
        shown = layer.shown | (layer.known & ~covered)
        covered |= shown
        masks.append(shown)
        np.copyto(base, layer.colors, where=((shown & ~filled) > 0)[..., None])
        filled |= shown
    if not filled.any():
        return np.zeros((*size, 4), dtype=np.uint8)
    if sum(bool(mask.any()) for mask in masks) == 1:
        return np.dstack([_cut(base, filled), filled])
    cv2 = import_cv2()
    base = _extended(cv2, base, filled)
    used = [
        (np.where((layer.known > 0)[..., None], layer.colors, base), mask)
        for layer, mask in zip(layers, masks, strict=True)
        if mask.any()
    ]
    return np.dstack([_cut(_multi_band(cv2, used), filled), filled])


def _extended(
    cv2: Any, colors: UInt8[np.ndarray, "t u 3"], filled: UInt8[np.ndarray, "t u"]
) -> UInt8[np.ndarray, "t u 3"]:
    """Continue colors smoothly beyond a mask: from coarse to fine, unknown pixels take the mean of known ones.

    Source: Gortler et al., The lumigraph, SIGGRAPH (1996), section 3.4.2 (pull-push).
    """
    known = filled.astype(np.float32) / 255
    levels = [np.dstack([colors * known[..., None], known]).astype(np.float32)]
    while min(levels[-1].shape[:2]) > 1 and len(levels) <= MAX_EXTENSION_LEVELS:
        levels.append(cv2.pyrDown(levels[-1]))
    coarse = levels[-1]
    coarse = coarse[..., :3] / np.maximum(coarse[..., 3:], MIN_WEIGHT)
    for level in levels[-2::-1]:
        weight = np.minimum(level[..., 3:], 1)
        upper = cv2.pyrUp(coarse, dstsize=(level.shape[1], level.shape[0]))
        coarse = np.where(weight > MIN_WEIGHT, level[..., :3] / np.maximum(level[..., 3:], MIN_WEIGHT), upper)
    return np.clip(np.rint(coarse), 0, 255).astype(np.uint8)


def _cut(colors: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return colors that are 0 outside of a mask."""
    return np.where(mask[..., None] > 0, colors, 0)


def _multi_band(
    cv2: Any, used: Sequence[tuple[UInt8[np.ndarray, "t u 3"], UInt8[np.ndarray, "t u"]]]
) -> UInt8[np.ndarray, "t u 3"]:
    """Average the bands (differences of a Gaussian pyramid) of all images, with their masks at the scale of the band.

    OpenCV's blender truncates every band to integers, which costs up to 13 of 255 levels: see docs/log.md.

    Source: Burt and Adelson, A multiresolution spline with application to image mosaics, ACM TOG 2 (1983).
    """
    totals: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for colors, mask in used:
        level, weight = colors.astype(np.float32), mask.astype(np.float32) / 255
        for band in range(NUM_BANDS + 1):
            lower = cv2.pyrDown(level)
            is_last = band == NUM_BANDS
            detail = level if is_last else level - cv2.pyrUp(lower, dstsize=level.shape[1::-1])
            if len(totals) == band:
                totals.append(np.zeros_like(detail))
                weights.append(np.zeros_like(weight))
            totals[band] += detail * weight[..., None]
            weights[band] += weight
            level, weight = lower, cv2.pyrDown(weight)
    blended: Any = None
    for total, weight in zip(reversed(totals), reversed(weights), strict=True):
        mean = total / np.maximum(weight, MIN_WEIGHT)[..., None]
        blended = mean if blended is None else mean + cv2.pyrUp(blended, dstsize=mean.shape[1::-1])
    return np.clip(np.rint(blended), 0, 255).astype(np.uint8)


def _expanded(tile: Tile, canvas: Canvas) -> Tile:
    """Tile with its margin, within the canvas; a full circle continues beyond its ends."""
    left, right = tile.left - MARGIN, tile.left + tile.width + MARGIN
    if canvas.period is None:
        left, right = max(0, left), min(canvas.width, right)
    top, bottom = max(0, tile.top - MARGIN), min(canvas.height, tile.top + tile.height + MARGIN)
    return Tile(left, top, right - left, bottom - top)
