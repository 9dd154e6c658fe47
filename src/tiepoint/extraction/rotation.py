"""Quarter turns of an image, its mask and its keypoints: pixels change places, none changes its value.

Degrees are counter-clockwise, as the image is looked at: 0, 90, 180 or 270. A pixel's center goes to a pixel's center,
so turning keypoints back is exact wherever the subtraction of two numbers is (whole and half pixels always).
"""

import math
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tiepoint.image import Image
from tiepoint.types import Features

ROTATIONS = (0, 90, 180, 270)
"""Degrees, counter-clockwise."""


def rotate_image(image: Image, degrees: int) -> Image:
    """The image turned counter-clockwise; gray images stay one channel in memory."""
    gray = image.pixels.stride(0) == 0
    pixels = torch.rot90(image.pixels[:1] if gray else image.pixels, degrees // 90, (1, 2))
    return replace(image, pixels=pixels.expand(3, -1, -1))


def rotate_mask(mask: Bool[Tensor, "h w"] | None, degrees: int) -> Bool[Tensor, "H W"] | None:
    """The mask of the turned image; None stays None."""
    return None if mask is None else torch.rot90(mask, degrees // 90, (0, 1))


def turn_back(
    keypoints: Float[Tensor, "n 2"], degrees: int, image_size: tuple[int, int]
) -> Float[Tensor, "n 2"]:
    """Where keypoints of the turned image lie in the upright one.

    Args:
        keypoints: (x, y) in px of the turned image.
        degrees: by which it was turned.
        image_size: (width, height) in px of the upright image.
    """
    x, y = keypoints.unbind(dim=1)
    right, bottom = image_size[0] - 1, image_size[1] - 1
    upright = {0: (x, y), 90: (right - y, x), 180: (right - x, bottom - y), 270: (y, bottom - x)}
    return torch.stack(upright[degrees], dim=1)


def unrotate_features(features: Features, degrees: int, image_size: tuple[int, int]) -> Features:
    """Features of the turned image, with positions and orientations of the upright one.

    Descriptors and scores are those of the turned image, which the fingerprint says too.
    """
    orientations = features.orientations
    return replace(
        features,
        keypoints=turn_back(features.keypoints, degrees, image_size),
        orientations=None if orientations is None else orientations + math.radians(degrees),
        image_size=image_size,
        fingerprint=f"{features.fingerprint}-turned{degrees}" if degrees else features.fingerprint,
    )
