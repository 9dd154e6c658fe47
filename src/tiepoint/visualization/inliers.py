"""Inliers and outliers: which matches fit a geometric model."""

import numpy as np
import PIL.Image

from tiepoint.image import Image
from tiepoint.visualization.canvas import Canvas
from tiepoint.visualization.captions import captioned, counted, with_caption
from tiepoint.visualization.colors import red_to_green
from tiepoint.visualization.validation import (
    Values,
    best,
    checked_mask,
    checked_pair,
    checked_points,
    checked_scores,
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
    """Draw two images side by side and a line a match: green where it fits the model, red where it doesn't.

    Inliers lie on top of outliers.

    Args:
        image0: the left image.
        image1: the right image.
        points0: (k, 2), (x, y) px of the original image 0; the center of the top-left pixel is (0, 0).
        points1: (k, 2), their partners in image 1.
        inliers: (k,) bool, True where the match fits.
        scores: (k,), confidence of each match; decides only which are drawn.
        keypoints0: (m, 2), further keypoints of image 0, drawn as faint dots.
        keypoints1: (n, 2), likewise of image 1.
        max_lines: draw only so many lines, the best by score, inliers and outliers alike; the caption says so.
            None draws all.
        caption: text in front of the numbers; "" leaves the whole caption out.
        max_side: images with a longer side than this, in px, are reduced to it; None keeps every size.

    Returns:
        An RGB picture as wide as both images, black where there is no image.

    Raises:
        InvalidInput: points, inliers, keypoints or scores of a wrong shape or number, or not finite; a negative max_lines.
    """
    points0, points1 = checked_pair(points0, points1)
    fits = checked_mask("inliers", inliers, len(points0))
    shown = best(checked_scores(scores, len(points0)), max_lines)
    shown = shown[np.argsort(fits[shown], kind="stable")]
    canvas = Canvas(image0, image1, max_side)
    canvas.draw_keypoints(0, checked_points("keypoints0", keypoints0))
    canvas.draw_keypoints(1, checked_points("keypoints1", keypoints1))
    canvas.draw_matches(points0[shown], points1[shown], [INLIER if fit else OUTLIER for fit in fits[shown]])
    text = _count(fits, len(shown), "best" if scores is not None else "first")
    return with_caption(canvas.picture(), captioned(caption, text))


def _count(fits: np.ndarray, shown: int, which: str) -> str:
    text = f"{int(fits.sum()):,} of {counted(len(fits))} fit"
    return text if shown == len(fits) else f"{text}, the {which} {shown:,} shown"
