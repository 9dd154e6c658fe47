"""Reasons why images cannot be aligned: different scenes, no model, a mirrored image, a model that folds the image."""

import numpy as np

from tiepoint.geometry.multiview import to_homogeneous
from tiepoint.geometry.pair_verification import PairVerification
from tiepoint.image.resampling import is_in_front
from tiepoint.types import TwoViewEstimate

MAX_SCALE = 100.0  # ratio of the areas' sides


def reason_not_aligned(
    estimate: TwoViewEstimate, verification: PairVerification | None, image_size: tuple[int, int]
) -> str:
    """Return why a moving image is not resampled with an estimate; "" if it can be.

    Args:
        estimate: Alignment of the moving image (image 0) to the fixed one.
        verification: Pair verification; None skips the check for different scenes.
        image_size: Size (width, height) of the moving image in px.
    """
    if verification is not None and not verification.same_scene:
        return f"the images do not seem to show the same scene: {verification.reason}"
    if estimate.matrix is None:
        return f"{estimate.kind} estimation failed: {estimate.reason}"
    return reason_not_warpable(estimate.matrix, image_size)


def reason_not_warpable(target_from_image: np.ndarray, image_size: tuple[int, int]) -> str:
    """Return why a homography does not map an image to a target as an alignment does; "" if it does.

    Args:
        target_from_image: Homography, shape (3, 3).
        image_size: Size (width, height) of the image in px.
    """
    if not is_in_front(target_from_image, image_size):
        return "the homography maps a part of the moving image to infinity (it crosses the horizon)"
    width, height = image_size
    corners = np.array([(-0.5, -0.5), (width - 0.5, -0.5), (width - 0.5, height - 0.5), (-0.5, height - 0.5)])
    projected = to_homogeneous(corners) @ target_from_image.T
    x, y = (projected[:, :2] / projected[:, 2:]).T
    area = 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    if area < 0:
        return "one image is the mirror image of the other; flip the moving image"
    scale = float(np.sqrt(area / (width * height)))
    if not 1 / MAX_SCALE <= scale <= MAX_SCALE:
        return f"the estimated scale of {scale:.3g} is implausible, the matches are probably wrong"
    return ""
