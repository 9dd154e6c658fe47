"""Matches: two images next to each other, with one line per match."""

import numpy as np
import PIL.Image

from tiepoint.image import Image
from tiepoint.visualization.canvas import Canvas
from tiepoint.visualization.captions import captioned, count_text, with_caption
from tiepoint.visualization.colors import Color, score_color
from tiepoint.visualization.selection import MAX_LINES, spread_out
from tiepoint.visualization.validation import Values, checked_pair, checked_points, checked_scores


def draw_matches(
    image0: Image,
    image1: Image,
    points0: Values,
    points1: Values,
    scores: Values | None = None,
    *,
    keypoints0: Values | None = None,
    keypoints1: Values | None = None,
    max_lines: int | None = MAX_LINES,
    color_range: tuple[float, float] | None = (0.0, 1.0),
    caption: str | None = None,
    max_side: int | None = 1024,
) -> PIL.Image.Image:
    """Draw two images next to each other: matched points, and lines for matches that are spread over image 0.

    Colors run from purple (low score) to light yellow (high score).

    Args:
        image0: Left image.
        image1: Right image.
        points0: Points (x, y) in px of the original image 0, shape (k, 2).
        points1: Corresponding points in image 1, shape (k, 2).
        scores: Confidence of each match, shape (k,); without scores, all are light yellow.
        keypoints0: Keypoints of image 0 to draw as faint dots, shape (m, 2).
        keypoints1: Keypoints of image 1 to draw as faint dots, shape (n, 2).
        max_lines: Maximum number of lines; of each part of image 0, the highest scores come first. None draws all.
        color_range: Scores drawn in purple and in light yellow; None uses the minimum and maximum score.
        caption: Text before the number of matches; "" disables the caption.
        max_side: Maximum image side in px; larger images are downsampled. None keeps the sizes.

    Returns:
        RGB image as wide as both images, black where there is no image.

    Raises:
        InvalidInput: If shapes do not agree, a value is not finite, or `max_lines` is negative.
    """
    points0, points1 = checked_pair(points0, points1)
    strengths = checked_scores(scores, len(points0))
    shown = spread_out(points0, strengths, max_lines)
    colors = _colors(strengths, color_range)
    canvas = Canvas(image0, image1, max_side)
    canvas.draw_keypoints(0, checked_points("keypoints0", keypoints0))
    canvas.draw_keypoints(1, checked_points("keypoints1", keypoints1))
    canvas.draw_dots(points0, points1, colors)
    canvas.draw_matches(points0[shown], points1[shown], [colors[index] for index in shown])
    return with_caption(canvas.drawing(), captioned(caption, _count(len(points0), len(shown))))


def _colors(scores: np.ndarray, color_range: tuple[float, float] | None) -> list[Color]:
    if len(scores) == 0:
        return []
    low, high = (scores.min(), scores.max()) if color_range is None else color_range
    if high <= low:
        low = high - 1  # all scores are equal: the color of the highest
    return [score_color(strength) for strength in (scores - low) / (high - low)]


def _count(count: int, shown: int) -> str:
    return count_text(count) if shown == count else f"{count_text(count)}, {shown:,} drawn as lines"
