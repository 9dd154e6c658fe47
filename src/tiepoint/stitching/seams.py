"""Exposure compensation and seams, at the size of the thumbnails: which image shows which part of a panorama, how bright."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from tiepoint.image.resampling import Tile
from tiepoint.stitching.canvas import Canvas, warp
from tiepoint.stitching.inputs import THUMBNAIL_MEGAPIXELS, StitchInput
from tiepoint.stitching.rotations import import_cv2
from tiepoint.stitching.views import View, resolution

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
        x, y = self._positions(share, tile)
        values, padding = self._closed(share, share.mask)
        zoomed = _sample(cv2, values, x + padding, y, cv2.BORDER_CONSTANT)
        return np.where(zoomed > 127, np.uint8(255), np.uint8(0))

    def gains(self, index: int, tile: Tile) -> Float32[np.ndarray, "t u"] | float:
        """Return the factors of an image's brightness in a tile of the panorama."""
        share = self.items[index]
        if share.gains.size == 1:
            return float(share.gains[0, 0])
        cv2 = import_cv2()
        x, y = self._positions(share, tile)
        rows, columns = share.gains.shape
        values, padding = self._closed(share, share.gains)
        x = (x + 0.5) * (columns / share.roi.width) - 0.5 + padding
        y = (y + 0.5) * (rows / share.roi.height) - 0.5
        return _sample(cv2, values, x, y, cv2.BORDER_REPLICATE)

    def _positions(self, share: Share, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
        """Columns and rows of a tile in the bounding box of a share; in a full circle, close to its middle."""
        roi = share.roi
        x = (np.arange(tile.width) + tile.left + self.canvas.left) * self.factor - (
            self.reduced.left + roi.left
        )
        y = (np.arange(tile.height) + tile.top + self.canvas.top) * self.factor - (self.reduced.top + roi.top)
        if self.reduced.period is not None:
            start = (roi.width - self.reduced.period) / 2
            x = np.remainder(x - start, self.reduced.period) + start
        return x, y

    def _closed(self, share: Share, values: np.ndarray) -> tuple[np.ndarray, int]:
        """Values of a share with a column of its other end at both ends if it spans the circle, and their number."""
        if share.roi.width != self.reduced.period:
            return values, 0
        return np.concatenate([values[:, -1:], values, values[:, :1]], axis=1), 1


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
    reduced = canvas.reduced(_reduction(inputs, views, canvas))
    rois = [reduced.roi(view) for view in views]
    warped = [
        warp(view, reduced, roi, each.thumbnail) for view, roi, each in zip(views, rois, inputs, strict=True)
    ]
    images, masks = [each[0] for each in warped], [each[1] for each in warped]
    gains = (
        _find_gains(cv2, reduced, rois, images, masks)
        if exposure
        else [np.ones((1, 1), np.float32)] * len(images)
    )
    colors = [
        image.astype(np.float32) * _resized(cv2, gain, image)[..., None]
        for image, gain in zip(images, gains, strict=True)
    ]
    seams = _find_seams(cv2, reduced, rois, colors, masks)
    return Shares(
        canvas=canvas,
        reduced=reduced,
        factor=reduced.scale / canvas.scale,
        items=[
            Share(roi=roi, mask=mask, gains=gain) for roi, mask, gain in zip(rois, seams, gains, strict=True)
        ],
    )


def _reduction(inputs: Sequence[StitchInput], views: Sequence[View], canvas: Canvas) -> float:
    """Factor at which the canvas has the resolution of the thumbnails, and not much more pixels than all of them."""
    thumbnails = [
        resolution(view) * each.thumbnail.shape[1] / each.image_size[0]
        for view, each in zip(views, inputs, strict=True)
    ]
    relative = float(np.median(thumbnails)) / canvas.scale  # the canvas may be reduced itself
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
    cv2: Any, canvas: Canvas, rois: Sequence[Tile], images: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> list[Float32[np.ndarray, "g e"]]:
    """Gains of blocks of each image that make overlapping images equally bright.

    OpenCV's compensator knows no full circle: each image is repeated where the circle continues.
    """
    copies = _unrolled(canvas, rois)
    numbers = [number for number, _ in copies]
    side = block_side([(rois[number].width, rois[number].height) for number in numbers])
    compensator = cv2.detail_BlocksGainCompensator(side, side)
    compensator.feed(
        [(rois[number].left + shift, rois[number].top) for number, shift in copies],
        [images[number] for number in numbers],
        [masks[number] for number in numbers],
    )
    found = [np.asarray(_array(gain), dtype=np.float32) for gain in compensator.getMatGains()]
    gains = [gain for gain, (_, shift) in zip(found, copies, strict=True) if shift == 0]
    return [np.atleast_2d(gain) if np.isfinite(gain).all() else np.ones((1, 1), np.float32) for gain in gains]


def _unrolled(canvas: Canvas, rois: Sequence[Tile]) -> list[tuple[int, int]]:
    """Numbers and shifts in px of images: each one once, and of a full circle those up to half a circle beyond its ends."""
    copies = [(number, 0) for number in range(len(rois))]
    if canvas.period is None:
        return copies
    first, last = -canvas.period // 2, canvas.period + canvas.period // 2
    return copies + [
        (number, shift)
        for number, roi in enumerate(rois)
        for shift in (-canvas.period, canvas.period)
        if roi.left + shift < last and roi.left + roi.width + shift > first
    ]


def _find_seams(
    cv2: Any, canvas: Canvas, rois: Sequence[Tile], images: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> list[UInt8[np.ndarray, "h w"]]:
    """Masks of all images, divided pair by pair, in a full circle across its ends, too."""
    finder = cv2.detail_GraphCutSeamFinder("COST_COLOR")
    found = [mask.copy() for mask in masks]
    for i, j in itertools.combinations(range(len(rois)), 2):
        for shift in canvas.shifts(rois[i], rois[j]):
            corners = [(rois[i].left, rois[i].top), (rois[j].left + shift, rois[j].top)]
            divided = finder.find([images[i], images[j]], corners, [found[i], found[j]])
            found[i], found[j] = (np.asarray(_array(mask)) for mask in divided)
    side = 2 * SEAM_OVERLAP + 1
    return [cv2.dilate(mask, np.ones((side, side), np.uint8)) for mask in found]


def _array(value: Any) -> np.ndarray:
    """OpenCV returns UMat for some lists."""
    return value.get() if hasattr(value, "get") else value


def _resized(cv2: Any, gains: np.ndarray, image: np.ndarray) -> Float32[np.ndarray, "h w"]:
    return cv2.resize(gains, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _sample(
    cv2: Any, values: np.ndarray, x: Float[np.ndarray, "u"], y: Float[np.ndarray, "t"], border: int
) -> np.ndarray:
    """Interpolate values at all combinations of columns and rows."""
    at = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    return cv2.remap(values, at[0], at[1], cv2.INTER_LINEAR, borderMode=border)
