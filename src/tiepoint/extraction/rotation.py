"""In-plane rotation by multiples of 90 degrees of images, masks and keypoints; pixel values do not change.

Rotations are in degrees, counter-clockwise: 0, 90, 180 or 270. Pixel centers map to pixel centers, so rotating
keypoints back is exact up to the rounding of one subtraction (exact for integer and half-integer coordinates).
"""

import math
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tiepoint.image import Image
from tiepoint.types import Features

ROTATIONS = (0, 90, 180, 270)
"""Supported rotations in degrees, counter-clockwise."""


def rotate_image(image: Image, degrees: int) -> Image:
    """Rotate an image counter-clockwise; gray images keep a single channel in memory."""
    gray = image.pixels.stride(0) == 0
    pixels = torch.rot90(image.pixels[:1] if gray else image.pixels, degrees // 90, (1, 2))
    return replace(image, pixels=pixels.expand(3, -1, -1))


def rotate_mask(mask: Bool[Tensor, "h w"] | None, degrees: int) -> Bool[Tensor, "H W"] | None:
    """Rotate a mask counter-clockwise; None is returned unchanged."""
    return None if mask is None else torch.rot90(mask, degrees // 90, (0, 1))


def unrotate_keypoints(
    keypoints: Float[Tensor, "n 2"], degrees: int, image_size: tuple[int, int]
) -> Float[Tensor, "n 2"]:
    """Map keypoints of a rotated image to the unrotated image.

    Args:
        keypoints: Keypoints (x, y) in px of the rotated image, shape (n, 2).
        degrees: Rotation of the image in degrees, counter-clockwise.
        image_size: Size (width, height) of the unrotated image in px.
    """
    x, y = keypoints.unbind(dim=1)
    right, bottom = image_size[0] - 1, image_size[1] - 1
    upright = {0: (x, y), 90: (right - y, x), 180: (right - x, bottom - y), 270: (y, bottom - x)}
    return torch.stack(upright[degrees], dim=1)


def unrotate_features(features: Features, degrees: int, image_size: tuple[int, int]) -> Features:
    """Map features of a rotated image to the unrotated image.

    Positions, their covariances, and orientations are rotated back; descriptors and scores remain those of the rotated image, which the
    fingerprint records.

    Args:
        features: Features of the rotated image.
        degrees: Rotation of the image in degrees, counter-clockwise.
        image_size: Size (width, height) of the unrotated image in px.
    """
    orientations, covariances = features.orientations, features.covariances
    return replace(
        features,
        keypoints=unrotate_keypoints(features.keypoints, degrees, image_size),
        orientations=None if orientations is None else orientations + math.radians(degrees),
        covariances=None if covariances is None else _unrotate_covariances(covariances, degrees),
        image_size=image_size,
        fingerprint=f"{features.fingerprint}-rotated{degrees}" if degrees else features.fingerprint,
    )


def _unrotate_covariances(covariances: Float[Tensor, "n 2 2"], degrees: int) -> Float[Tensor, "n 2 2"]:
    """Exchange the axes for odd multiples of 90 degrees: the variances change places, the covariance its sign."""
    if degrees % 180 == 0:
        return covariances
    signs = covariances.new_tensor([[1, -1], [-1, 1]])
    return covariances.flip(1, 2) * signs
