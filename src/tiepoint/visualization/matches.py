"""Matches: two images side by side, and a line from each point to its partner."""

import numpy as np
import PIL.Image

from tiepoint.image import Image
from tiepoint.visualization.canvas import Canvas
from tiepoint.visualization.captions import captioned, counted, with_caption
from tiepoint.visualization.colors import Color, red_to_green
from tiepoint.visualization.validation import Values, best, checked_pair, checked_points, checked_scores


def draw_matches(
    image0: Image,
    image1: Image,
    points0: Values,
    points1: Values,
    scores: Values | None = None,
    *,
    keypoints0: Values | None = None,
    keypoints1: Values | None = None,
    max_lines: int | None = 500,
    color_range: tuple[float, float] | None = (0.0, 1.0),
    caption: str | None = None,
    max_side: int | None = 1024,
) -> PIL.Image.Image:
    """Draw two images side by side and a line a match, from red for low scores to green for high ones.

    Args:
        image0: the left image.
        image1: the right image.
        points0: (k, 2), (x, y) px of the original image 0; the center of the top-left pixel is (0, 0).
        points1: (k, 2), their partners in image 1.
        scores: (k,), confidence of each match; without it all lines are green.
        keypoints0: (m, 2), further keypoints of image 0, drawn as faint dots.
        keypoints1: (n, 2), likewise of image 1.
        max_lines: draw only so many lines, the best by score; the caption says so. None draws all.
        color_range: the scores drawn in full red and in full green; None takes the lowest and the highest.
        caption: text in front of the number of matches; "" leaves the whole caption out.
        max_side: images with a longer side than this, in px, are reduced to it; None keeps every size.

    Returns:
        An RGB picture as wide as both images, black where there is no image.

    Raises:
        InvalidInput: points, keypoints or scores of a wrong shape or number, or not finite; a negative max_lines.
    """
    points0, points1 = checked_pair(points0, points1)
    strengths = checked_scores(scores, len(points0))
    shown = best(strengths, max_lines)
    canvas = Canvas(image0, image1, max_side)
    canvas.draw_keypoints(0, checked_points("keypoints0", keypoints0))
    canvas.draw_keypoints(1, checked_points("keypoints1", keypoints1))
    canvas.draw_matches(points0[shown], points1[shown], _colors(strengths, color_range, shown))
    text = _count(len(points0), len(shown), "best" if scores is not None else "first")
    return with_caption(canvas.picture(), captioned(caption, text))


def _colors(scores: np.ndarray, color_range: tuple[float, float] | None, shown: np.ndarray) -> list[Color]:
    if len(shown) == 0:
        return []
    low, high = (scores.min(), scores.max()) if color_range is None else color_range
    if high <= low:
        low = high - 1  # all scores are equal: green
    return [red_to_green(strength) for strength in np.clip((scores[shown] - low) / (high - low), 0, 1)]


def _count(count: int, shown: int, which: str) -> str:
    return counted(count) if shown == count else f"{counted(count)}, the {which} {shown:,} shown"
