"""Inliers and outliers of a geometric model."""

import numpy as np
import PIL.Image

from tiepoint.image import Image
from tiepoint.visualization.canvas import Canvas
from tiepoint.visualization.captions import captioned, count_text, with_caption
from tiepoint.visualization.colors import red_to_green
from tiepoint.visualization.validation import (
    Values,
    checked_mask,
    checked_pair,
    checked_points,
    checked_scores,
    top_scores,
)

INLIER, OUTLIER = red_to_green(1.0), red_to_green(0.0)


def draw_inliers(
    image0: Image,
    image1: Image,
    points0: Values,
    points1: Values,
    inliers: Values,
    scores: Values | None = None,
    *,
    keypoints0: Values | None = None,
    keypoints1: Values | None = None,
    max_lines: int | None = 500,
    caption: str | None = None,
    max_side: int | None = 1024,
) -> PIL.Image.Image:
    """Draw two images next to each other, with one line per match: green for inliers, red for outliers.

    Inliers are drawn on top of outliers.

    Args:
        image0: Left image.
        image1: Right image.
        points0: Points (x, y) in px of the original image 0, shape (k, 2).
        points1: Corresponding points in image 1, shape (k, 2).
        inliers: Whether each match is an inlier, bool, shape (k,).
        scores: Confidence of each match, shape (k,), by which the drawn matches are selected.
        keypoints0: Keypoints of image 0 to draw as faint dots, shape (m, 2).
        keypoints1: Keypoints of image 1 to draw as faint dots, shape (n, 2).
        max_lines: Maximum number of matches to draw, highest scores first, inliers or not; None draws all.
        caption: Text before the numbers; "" disables the caption.
        max_side: Maximum image side in px; larger images are downsampled. None keeps the sizes.

    Returns:
        RGB image as wide as both images, black where there is no image.

    Raises:
        InvalidInput: If shapes do not agree, a value is not finite, or `max_lines` is negative.
    """
    points0, points1 = checked_pair(points0, points1)
    is_inlier = checked_mask("inliers", inliers, len(points0))
    shown = top_scores(checked_scores(scores, len(points0)), max_lines)
    shown = shown[np.argsort(is_inlier[shown], kind="stable")]
    canvas = Canvas(image0, image1, max_side)
    canvas.draw_keypoints(0, checked_points("keypoints0", keypoints0))
    canvas.draw_keypoints(1, checked_points("keypoints1", keypoints1))
    canvas.draw_matches(
        points0[shown], points1[shown], [INLIER if inlier else OUTLIER for inlier in is_inlier[shown]]
    )
    text = _count(is_inlier, len(shown), "best" if scores is not None else "first")
    return with_caption(canvas.drawing(), captioned(caption, text))


def _count(is_inlier: np.ndarray, shown: int, which: str) -> str:
    text = f"inliers: {int(is_inlier.sum()):,} of {count_text(len(is_inlier))}"
    return text if shown == len(is_inlier) else f"{text}, the {which} {shown:,} shown"
