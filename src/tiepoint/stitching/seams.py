"""Exposure compensation and seams, at the size of the thumbnails: which image shows which part of a panorama, how bright."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from tiepoint.image.resampling import Tile
from tiepoint.stitching.canvas import Canvas, natural_scale, warp
from tiepoint.stitching.inputs import THUMBNAIL_MEGAPIXELS, StitchInput
from tiepoint.stitching.rotations import import_cv2
from tiepoint.stitching.views import View

MIN_BLOCK = 32  # px of a thumbnail whose gain is one value
MAX_BLOCKS = 2500  # in all images: OpenCV solves a dense system of one equation per block
BLOCK_GROWTH = 1.25  # factor by which blocks are enlarged until there are few enough
SEAM_OVERLAP = (
    1  # px of a thumbnail by which neighbors overlap at a seam, so that no gap is left at full size
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Share:
    """Part of a panorama that an image contributes, on a reduced canvas.

    Attributes:
        roi: Bounding box of the image on the reduced canvas.
        mask: 255 where the image is used, shape (h, w) of the bounding box.
        gains: Factors of the brightness, a grid over the bounding box.
    """

    roi: Tile
    mask: UInt8[np.ndarray, "h w"]
    gains: Float32[np.ndarray, "g e"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shares:
    """Shares of all images, with their canvases.

    Attributes:
        canvas: Canvas of the panorama.
        reduced: Canvas of the shares.
        factor: Size of the reduced canvas relative to the full one.
        items: Share of each image.
    """

    canvas: Canvas
    reduced: Canvas
    factor: float
    items: list[Share]

    def mask(self, index: int, tile: Tile) -> UInt8[np.ndarray, "t u"]:
        """Return where an image is used in a tile of the panorama, as 0 and 255."""
        cv2 = import_cv2()
        share = self.items[index]
        zoomed = _zoom(cv2, share.mask, self._offset(share, tile), self.factor, tile, cv2.BORDER_CONSTANT)
        return np.where(zoomed > 127, np.uint8(255), np.uint8(0))

    def gains(self, index: int, tile: Tile) -> Float32[np.ndarray, "t u"] | float:
        """Return the factors of an image's brightness in a tile of the panorama."""
        share = self.items[index]
        if share.gains.size == 1:
            return float(share.gains[0, 0])
        cv2 = import_cv2()
        rows, columns = share.gains.shape
        ratio = np.array([columns / share.roi.width, rows / share.roi.height])
        offset = (self._offset(share, tile) + 0.5) * ratio - 0.5
        return _zoom(cv2, share.gains, offset, self.factor * ratio, tile, cv2.BORDER_REPLICATE)

    def _offset(self, share: Share, tile: Tile) -> np.ndarray:
        """Position of the first pixel of a tile in the bounding box of a share."""
        first = np.array([tile.left + self.canvas.left, tile.top + self.canvas.top]) * self.factor
        return first - (self.reduced.left + share.roi.left, self.reduced.top + share.roi.top)


def find_shares(
    inputs: Sequence[StitchInput], views: Sequence[View], canvas: Canvas, *, exposure: bool
) -> Shares:
    """Compensate the exposure, and find seams along which the images differ least (graph cuts).

    Args:
        inputs: Images.
        views: View of each image.
        canvas: Canvas of the panorama.
        exposure: Whether to compensate differences in exposure.
    """
    cv2 = import_cv2()
    factor = _reduction(inputs, views, canvas)
    reduced = canvas.reduced(factor)
    rois = [reduced.roi(view) for view in views]
    warped = [
        warp(view, reduced, roi, each.thumbnail) for view, roi, each in zip(views, rois, inputs, strict=True)
    ]
    corners = [(roi.left, roi.top) for roi in rois]
    images, masks = [each[0] for each in warped], [each[1] for each in warped]
    gains = (
        _find_gains(cv2, corners, images, masks) if exposure else [np.ones((1, 1), np.float32)] * len(images)
    )
    colors = [
        image.astype(np.float32) * _resized(cv2, gain, image)[..., None]
        for image, gain in zip(images, gains, strict=True)
    ]
    seams = _find_seams(cv2, corners, colors, masks)
    return Shares(
        canvas=canvas,
        reduced=reduced,
        factor=factor,
        items=[
            Share(roi=roi, mask=mask, gains=gain) for roi, mask, gain in zip(rois, seams, gains, strict=True)
        ],
    )


def _reduction(inputs: Sequence[StitchInput], views: Sequence[View], canvas: Canvas) -> float:
    """Factor at which the canvas has the resolution of the thumbnails, and not much more pixels than all of them."""
    thumbnail = float(np.median([each.thumbnail.shape[1] / each.image_size[0] for each in inputs]))
    relative = thumbnail * natural_scale(views) / canvas.scale  # the canvas may be reduced itself
    max_pixels = THUMBNAIL_MEGAPIXELS * 1e6 * len(inputs)
    return min(1.0, relative, (max_pixels / (canvas.width * canvas.height)) ** 0.5)


def block_side(sizes: Sequence[tuple[int, int]]) -> int:
    """Return the side in px of blocks into which images are divided, larger for many images.

    Args:
        sizes: Size (width, height) of each image in px.
    """
    side = MIN_BLOCK
    while sum(-(-width // side) * -(-height // side) for width, height in sizes) > max(
        MAX_BLOCKS, len(sizes)
    ):
        side = int(side * BLOCK_GROWTH)
    return side


def _find_gains(
    cv2: Any, corners: Sequence[tuple[int, int]], images: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> list[Float32[np.ndarray, "g e"]]:
    """Gains of blocks of each image that make overlapping images equally bright."""
    side = block_side([(mask.shape[1], mask.shape[0]) for mask in masks])
    compensator = cv2.detail_BlocksGainCompensator(side, side)
    compensator.feed(corners, images, masks)
    gains = [np.asarray(_array(gain), dtype=np.float32) for gain in compensator.getMatGains()]
    return [np.atleast_2d(gain) if np.isfinite(gain).all() else np.ones((1, 1), np.float32) for gain in gains]


def _find_seams(
    cv2: Any, corners: Sequence[tuple[int, int]], images: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> list[UInt8[np.ndarray, "h w"]]:
    finder = cv2.detail_GraphCutSeamFinder("COST_COLOR")
    found = [
        np.asarray(_array(mask)) for mask in finder.find(images, corners, [mask.copy() for mask in masks])
    ]
    side = 2 * SEAM_OVERLAP + 1
    return [cv2.dilate(mask, np.ones((side, side), np.uint8)) for mask in found]


def _array(value: Any) -> np.ndarray:
    """OpenCV returns UMat for some lists."""
    return value.get() if hasattr(value, "get") else value


def _resized(cv2: Any, gains: np.ndarray, image: np.ndarray) -> Float32[np.ndarray, "h w"]:
    return cv2.resize(gains, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _zoom(
    cv2: Any, values: np.ndarray, offset: np.ndarray, factor: float | np.ndarray, tile: Tile, border: int
) -> np.ndarray:
    """Interpolate values at offset + factor * (column, row) of a tile."""
    x, y = np.broadcast_to(factor, 2)
    matrix = np.array([[x, 0, offset[0]], [0, y, offset[1]]], dtype=np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(values, matrix, (tile.width, tile.height), flags=flags, borderMode=border)
