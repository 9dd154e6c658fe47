"""Inliers and outliers of a geometric model."""

import numpy as np
import PIL.Image

from tiepoint.image import Image
from tiepoint.visualization.canvas import Canvas
from tiepoint.visualization.captions import captioned, count_text, with_caption
from tiepoint.visualization.colors import INLIER, OUTLIER
from tiepoint.visualization.selection import MAX_LINES, spread_out_inliers
from tiepoint.visualization.validation import (
    Values,
    checked_mask,
    checked_pair,
    checked_points,
    checked_scores,
)


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
    max_lines: int | None = MAX_LINES,
    caption: str | None = None,
    max_side: int | None = 1024,
) -> PIL.Image.Image:
    """Draw two images next to each other, with green lines and dots for inliers, dark red lines and crosses for outliers.

    All matched points are drawn, and lines for matches that are spread over image 0; inliers are on top of outliers.

    Args:
        image0: Left image.
        image1: Right image.
        points0: Points (x, y) in px of the original image 0, shape (k, 2).
        points1: Corresponding points in image 1, shape (k, 2).
        inliers: Whether each match is an inlier, bool, shape (k,).
        scores: Confidence of each match, shape (k,), by which the drawn matches are selected.
        keypoints0: Keypoints of image 0 to draw as faint dots, shape (m, 2).
        keypoints1: Keypoints of image 1 to draw as faint dots, shape (n, 2).
        max_lines: Maximum number of lines; at least a fifth are outliers if there are enough. None draws all.
        caption: Text before the numbers; "" disables the caption.
        max_side: Maximum image side in px; larger images are downsampled. None keeps the sizes.

    Returns:
        RGB image as wide as both images, black where there is no image.

    Raises:
        InvalidInput: If shapes do not agree, a value is not finite, or `max_lines` is negative.
    """
    points0, points1 = checked_pair(points0, points1)
    is_inlier = checked_mask("inliers", inliers, len(points0))
    shown = spread_out_inliers(points0, checked_scores(scores, len(points0)), is_inlier, max_lines)
    colors = [INLIER if inlier else OUTLIER for inlier in is_inlier]
    canvas = Canvas(image0, image1, max_side)
    canvas.draw_keypoints(0, checked_points("keypoints0", keypoints0))
    canvas.draw_keypoints(1, checked_points("keypoints1", keypoints1))
    canvas.draw_dots(points0, points1, colors)
    canvas.draw_matches(
        points0[shown],
        points1[shown],
        [colors[index] for index in shown],
        is_crossed=~is_inlier[shown],
    )
    return with_caption(canvas.drawing(), captioned(caption, _count(is_inlier, shown)))


def _count(is_inlier: np.ndarray, shown: np.ndarray) -> str:
    text = f"inliers: {int(is_inlier.sum()):,} of {count_text(len(is_inlier))}"
    if len(shown) == len(is_inlier):
        return text
    drawn = int(is_inlier[shown].sum())
    return f"{text}; lines: {drawn:,} inliers, {len(shown) - drawn:,} outliers"
