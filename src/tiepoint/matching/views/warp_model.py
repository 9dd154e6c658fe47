"""Warp of one image onto the other, from few matches: a homography where they determine it, else an affine map."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tiepoint.extraction.views import View
from tiepoint.extraction.warping import Warp, resized_from_original
from tiepoint.geometry.multiview import transfer_errors
from tiepoint.geometry.solver import largest_support
from tiepoint.image import ImageTransform
from tiepoint.types import Correspondences

# Inlier threshold of the warp in px of the images as the extractor resizes them: surfaces need not be planes
MAX_ERROR_PX = 8.0

# Minimum number of inliers of an affine map, and of a homography
MIN_INLIERS = 6
MIN_HOMOGRAPHY_INLIERS = 40

# Maximum tilt of a warp, and its maximum scale in either direction
MAX_TILT = 10.0
MAX_SCALE = 16.0

# Maximum ratio of the scales of a homography across a view; larger ones are extrapolated
MAX_SCALE_RATIO = 12.0

# Minimum scale in all directions from which one image shows a part of the other
MIN_ZOOM = 1.25

# Minimum determinant of the covariance of points, relative to the area of the image: less is a line or a point
MIN_SPREAD = 1e-4


@dataclass(frozen=True, eq=False)
class ImageWarp:
    """A view in which one image has the frame of the other.

    Attributes:
        warped: Image that is warped: 0 or 1; the frame is that of the other one, as the extractor resizes it.
        warp: View of the warped image.
        view: Its rotation, scale and tilt, for reports.
    """

    warped: int
    warp: Warp
    view: View


def fit_warp(matches: Correspondences, transforms: tuple[ImageTransform, ImageTransform]) -> ImageWarp | None:
    """Fit the warp of one image to the frame of the other one.

    Args:
        matches: Matches in px of the images as they are.
        transforms: Resizes of image 0 and image 1 by the extractor.

    Returns:
        The warp; None if the matches do not determine one, or it mirrors, or compresses more than any view does.
    """
    resize0, resize1 = (resized_from_original(transform) for transform in transforms)
    points0, points1 = _apply(matches.points0, resize0), _apply(matches.points1, resize1)
    found = largest_support(
        Correspondences.from_points(points0, points1, matches.scores), "homography", MAX_ERROR_PX
    )
    if found is None:
        return None
    inliers = transfer_errors(points0, points1, found) <= MAX_ERROR_PX
    affine = _fit_affine(points0[inliers], points1[inliers], transforms[0].resized_size)
    if affine is None:
        return None
    warped = _choose_warped(affine)
    frame = transforms[1 - warped].resized_size
    resize, size = (
        (resize1, transforms[1].original_size) if warped else (resize0, transforms[0].original_size)
    )
    candidates = [found] if inliers.sum() >= MIN_HOMOGRAPHY_INLIERS else []
    for model in (*candidates, affine):
        matrix = np.linalg.inv(model) if warped else model
        warp = Warp(matrix @ resize, frame)
        scales = warp.scales(size)
        if scales is not None and scales[1] <= MAX_SCALE_RATIO * scales[0]:
            return ImageWarp(warped, warp, describe(np.linalg.inv(affine) if warped else affine))
    return None


def _choose_warped(affine: Float[np.ndarray, "3 3"]) -> int:
    """Choose the image that is warped: the one that shows the surface smaller, or else the one that is compressed.

    Args:
        affine: Affine map from image 0 to image 1.
    """
    larger, smaller = np.linalg.svd(affine[:2, :2], compute_uv=False)
    if larger < 1 / MIN_ZOOM:
        return 1
    if smaller > MIN_ZOOM:
        return 0
    return 0 if larger * smaller <= 1 else 1


def describe(affine: Float[np.ndarray, "3 3"]) -> View:
    """Return the view with the linear part of an affine map (polar decomposition), rounded."""
    left, (scale, compressed), right = np.linalg.svd(affine[:2, :2])
    (cosine, sine), _ = left @ right
    along = right[1]  # unit vector that is compressed
    return View(
        rotation=round(math.degrees(math.atan2(sine, cosine))) % 360,
        scale=round(float(scale), 3),
        tilt=round(float(scale / compressed), 3),
        direction=round(math.degrees(math.atan2(-along[1], along[0]))) % 180,
    )


def _fit_affine(
    points0: Float[np.ndarray, "k 2"], points1: Float[np.ndarray, "k 2"], size0: tuple[int, int]
) -> Float[np.ndarray, "3 3"] | None:
    """Fit an affine map by least squares; None if it is undetermined or no view of an image."""
    if len(points0) < MIN_INLIERS:
        return None
    spread = math.sqrt(max(0.0, float(np.linalg.det(np.cov(points0.T)))))
    if spread < MIN_SPREAD * size0[0] * size0[1]:
        return None
    inputs = np.column_stack([points0, np.ones(len(points0))])
    solution = np.linalg.lstsq(inputs, points1, rcond=None)[0]
    affine = np.vstack([solution.T, [0, 0, 1]])
    larger, smaller = np.linalg.svd(affine[:2, :2], compute_uv=False)
    is_mirrored = np.linalg.det(affine[:2, :2]) <= 0
    if is_mirrored or larger > MAX_TILT * smaller or not 1 / MAX_SCALE < larger < MAX_SCALE:
        return None
    return affine


def _apply(points: Float[np.ndarray, "k 2"], affine: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "k 2"]:
    return points @ affine[:2, :2].T + affine[:2, 2]
