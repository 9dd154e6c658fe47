"""Both images on one canvas, in the frame of image 1."""

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
from tiepoint.visualization.warping import WarpedImage, checked_homography, corners, strips

FEATHER = 3  # the higher, the narrower the seam; 1 mixes over all of the overlap, and shows more things twice
MAX_GROWTH = 50  # times the area of both images; more is no panorama, but a homography gone wrong
ROUNDING = 1e-6  # px; an identity must not add a row


def draw_panorama(
    image0: Image, image1: Image, homography: Values, *, max_megapixels: float = 300.0
) -> PIL.Image.Image:
    """Put two images onto one canvas, with a soft seam between them.

    Right where a homography is: for a camera that only turned, or a flat scene.

    Args:
        image0: the image that is warped.
        image1: the image that stays as it is; its pixels are those of the canvas.
        homography: (3, 3), px of image 0 to px of image 1.
        max_megapixels: refuse to make a larger picture.

    Returns:
        An RGB picture that holds both images whole, black where neither is.

    Raises:
        InvalidInput: a homography that isn't one, that sends part of image 0 through the horizon, or that makes
            the picture unreasonably large.

    Source: feathering as in Szeliski, Image Alignment and Stitching (2006), section 6.2.
    """
    H = checked_homography(homography, image0.image_size)
    corner0, corner1 = _seen_corners(H, image0.image_size), corners(image1.image_size)
    low = np.minimum(corner0.min(axis=0), corner1.min(axis=0))
    low = np.floor(low + 0.5 + ROUNDING)  # whole, so that image 1 is copied exactly
    high = np.maximum(corner0.max(axis=0), corner1.max(axis=0))
    size = _checked_size(high - low, (image0, image1), max_megapixels)
    shift = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]])
    return _blend((WarpedImage(image0, shift @ H), WarpedImage(image1, shift)), size)


def _blend(images: tuple[WarpedImage, ...], size: tuple[int, int]) -> PIL.Image.Image:
    picture = PIL.Image.new("RGB", size)
    for top, rows in strips(size):
        parts = [image.rows(top, rows, size[0]) for image in images]
        picture.paste(to_pil(_weighted_mean(parts) * 255), (0, top))
    return picture


def _weighted_mean(parts: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Mean of the colors, by how far inside its image each pixel lies; 0 outside of all of them."""
    colors, inside = (torch.stack(values) for values in zip(*parts, strict=True))
    above_0 = torch.finfo(inside.dtype).tiny
    weights = (inside / inside.amax(dim=0).clamp(min=above_0)) ** FEATHER
    return (colors * weights[:, None]).sum(dim=0) / weights.sum(dim=0).clamp(min=above_0)


def _seen_corners(
    homography: Float[np.ndarray, "3 3"], image_size: tuple[int, int]
) -> Float[np.ndarray, "4 2"]:
    """Where the corners of image 0 go, all of them in front of the viewer."""
    places = corners(image_size)
    if (to_homogeneous(places) @ homography[2]).min() <= 0:
        raise InvalidInput(
            "the homography sends part of image 0 through the horizon, so no flat picture holds both images; "
            "either its estimate is wrong (few inliers?), or the photographs are too far apart: try an overlay"
        )
    return warp_points(places, homography)


def _checked_size(
    extent: Float[np.ndarray, "2"], images: tuple[Image, Image], max_megapixels: float
) -> tuple[int, int]:
    """(width, height) in whole px; `extent` runs from the center of the first pixel to the outer border."""
    width, height = np.ceil(extent + 0.5 - ROUNDING)
    area = sum(float(np.prod(image.image_size)) for image in images)
    limit = min(max_megapixels * 1e6, MAX_GROWTH * area)
    if width * height > limit:
        raise InvalidInput(
            f"the panorama would have {width:,.0f} x {height:,.0f} px, more than the {limit / 1e6:,.1f} megapixels allowed "
            f"(max_megapixels = {max_megapixels:g}, and {MAX_GROWTH} times both images); is the homography right? "
            "Swapping the images may help"
        )
    return int(width), int(height)
