"""Panorama: both images on one canvas, in the coordinate frame of image 1."""

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.geometry.multiview import to_homogeneous, warp_points
from tiepoint.image import Image
from tiepoint.visualization.overlays import to_pil
from tiepoint.visualization.validation import Values
from tiepoint.visualization.warping import WarpedImage, checked_homography, corners, row_chunks

FEATHER = 3  # exponent of the blending weights: higher is a narrower seam with less ghosting
MAX_GROWTH = 50  # maximum canvas area relative to both images; a larger one indicates a wrong homography
ROUNDING = 1e-6  # px; tolerance so that an identity does not add a row


def draw_panorama(
    image0: Image, image1: Image, homography: Values, *, max_megapixels: float = 300.0
) -> PIL.Image.Image:
    """Stitch two images with feathering; for pure rotation or planar scenes.

    Args:
        image0: Image to warp.
        image1: Image that is not warped; its pixels are those of the canvas.
        homography: Homography from px of image 0 to px of image 1, shape (3, 3).
        max_megapixels: Maximum size of the panorama.

    Returns:
        RGB image that contains both images, black outside.

    Raises:
        InvalidInput: If the homography is invalid, part of image 0 crosses the line at infinity, or the panorama is
            too large.

    Source: feathering as in Szeliski, Image Alignment and Stitching (2006), section 6.2.
    """
    H = checked_homography(homography, image0.image_size)
    corner0, corner1 = _warped_corners(H, image0.image_size), corners(image1.image_size)
    low = np.minimum(corner0.min(axis=0), corner1.min(axis=0))
    low = np.floor(low + 0.5 + ROUNDING)  # integer, so that image 1 is copied exactly
    high = np.maximum(corner0.max(axis=0), corner1.max(axis=0))
    size = _checked_size(high - low, (image0, image1), max_megapixels)
    shift = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]])
    return _blend((WarpedImage(image0, shift @ H), WarpedImage(image1, shift)), size)


def _blend(images: tuple[WarpedImage, ...], size: tuple[int, int]) -> PIL.Image.Image:
    canvas = PIL.Image.new("RGB", size)
    for top, rows in row_chunks(size):
        parts = [image.rows(top, rows, size[0]) for image in images]
        canvas.paste(to_pil(_weighted_mean(parts) * 255), (0, top))
    return canvas


def _weighted_mean(parts: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Mean of the colors, weighted by the distance from the image border; 0 outside of all images."""
    colors, inside = (torch.stack(values) for values in zip(*parts, strict=True))
    above_0 = torch.finfo(inside.dtype).tiny
    weights = (inside / inside.amax(dim=0).clamp(min=above_0)) ** FEATHER
    return (colors * weights[:, None]).sum(dim=0) / weights.sum(dim=0).clamp(min=above_0)


def _warped_corners(
    homography: Float[np.ndarray, "3 3"], image_size: tuple[int, int]
) -> Float[np.ndarray, "4 2"]:
    """Warp the corners of image 0; all of them must be in front of the camera."""
    points = corners(image_size)
    if (to_homogeneous(points) @ homography[2]).min() <= 0:
        raise InvalidInput(
            "cannot draw a panorama: image 0 crosses the line at infinity of the homography (points map behind the "
            "camera); either the estimate is wrong (few inliers?), or the viewing angle is too large: try an overlay"
        )
    return warp_points(points, homography)


def _checked_size(
    extent: Float[np.ndarray, "2"], images: tuple[Image, Image], max_megapixels: float
) -> tuple[int, int]:
    """Size (width, height) in px; `extent` is measured from the center of the first pixel to the outer border."""
    width, height = np.ceil(extent + 0.5 - ROUNDING)
    area = sum(float(np.prod(image.image_size)) for image in images)
    limit = min(max_megapixels * 1e6, MAX_GROWTH * area)
    if width * height > limit:
        raise InvalidInput(
            f"cannot draw a panorama of {width:,.0f} x {height:,.0f} px: the limit is {limit / 1e6:,.1f} megapixels "
            f"(max_megapixels = {max_megapixels:g}, and {MAX_GROWTH} times both images); check the homography, or "
            "swap the images"
        )
    return int(width), int(height)
