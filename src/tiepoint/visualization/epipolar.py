"""Epipolar lines of matched points."""

import numpy as np
import PIL.Image
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.geometry.multiview import epipolar_lines
from tiepoint.image import Image
from tiepoint.visualization.canvas import Canvas
from tiepoint.visualization.captions import captioned, count_text, with_caption
from tiepoint.visualization.colors import distinct
from tiepoint.visualization.validation import Values, checked_matrix, checked_pair

LINE_WIDTH = 2.0  # px of the drawing
DOT_RADIUS = 4.0

MIN_DIRECTION = 1e-200  # avoids a division by zero for lines parallel to an axis


def draw_epipolar_lines(
    image0: Image,
    image1: Image,
    points0: Values,
    points1: Values,
    fundamental: Values,
    *,
    max_lines: int = 12,
    caption: str | None = None,
    max_side: int | None = 1024,
) -> PIL.Image.Image:
    """Draw matched points in both images with their epipolar lines, in the same color.

    A point off the line of its color indicates a wrong match or a wrong matrix.

    Args:
        image0: Left image.
        image1: Right image.
        points0: Points (x, y) in px of the original image 0, shape (k, 2).
        points1: Corresponding points in image 1, shape (k, 2).
        fundamental: Fundamental matrix F with p1^T F p0 = 0, in px of the original images.
        max_lines: Maximum number of points to draw, distributed over image 0.
        caption: Text before the numbers; "" disables the caption.
        max_side: Maximum image side in px; larger images are downsampled. None keeps the sizes.

    Returns:
        RGB image as wide as both images, black where there is no image.

    Raises:
        InvalidInput: If shapes do not agree, a value is not finite, or `max_lines` is negative.

    Source: Hartley and Zisserman, Multiple View Geometry, section 9.2.
    """
    points0, points1 = checked_pair(points0, points1)
    F = checked_matrix("fundamental", fundamental)
    chosen = _farthest_points(points0, max_lines)
    canvas = Canvas(image0, image1, max_side)
    _draw_side(canvas, 1, image1.image_size, epipolar_lines(points0[chosen], F), points1[chosen])
    _draw_side(canvas, 0, image0.image_size, epipolar_lines(points1[chosen], F.T), points0[chosen])
    text = f"epipolar lines of {len(chosen)} of {count_text(len(points0))}"
    return with_caption(canvas.drawing(), captioned(caption, text))


def _draw_side(
    canvas: Canvas, side: int, image_size: tuple[int, int], lines: np.ndarray, points: np.ndarray
) -> None:
    colors = distinct(len(points))
    starts, ends, visible = clip_lines(lines, image_size)
    visible_colors = [color for color, is_visible in zip(colors, visible, strict=True) if is_visible]
    canvas.draw_segments(side, starts[visible], ends[visible], visible_colors, width=LINE_WIDTH)
    canvas.draw_points(side, points, colors, radius=DOT_RADIUS)


def clip_lines(
    lines: Float[np.ndarray, "k 3"], image_size: tuple[int, int]
) -> tuple[Float[np.ndarray, "k 2"], Float[np.ndarray, "k 2"], np.ndarray]:
    """Clip lines to an image.

    Args:
        lines: Lines (a, b, c) with a x + b y + c = 0 and a^2 + b^2 = 1; NaN for no line.
        image_size: Image size (width, height) in px.

    Returns:
        Start points and end points (x, y) in px on the image border, and whether each line crosses the image.
    """
    a, b, c = lines.T
    foot, along = np.stack((-a * c, -b * c), axis=1), np.stack((-b, a), axis=1)
    low, high = np.array([-0.5, -0.5]), np.array(image_size) - 0.5
    steps = np.where(np.abs(along) < MIN_DIRECTION, MIN_DIRECTION, along)
    crossings = np.sort([(low - foot) / steps, (high - foot) / steps], axis=0)
    enter, leave = crossings[0].max(axis=1, keepdims=True), crossings[1].min(axis=1, keepdims=True)
    return foot + enter * along, foot + leave * along, (enter < leave)[:, 0]


def _farthest_points(points: np.ndarray, count: int) -> np.ndarray:
    """Farthest point sampling: return the indices of `count` points, beginning with the leftmost."""
    if count < 0:
        raise InvalidInput(f"max_lines: expected an integer of at least 0, got {count}")
    chosen: list[int] = []
    distances = -points[:, 0]
    for _ in range(min(count, len(points))):
        chosen.append(int(distances.argmax()))
        nearest = np.linalg.norm(points - points[chosen[-1]], axis=1)
        distances = nearest if len(chosen) == 1 else np.minimum(distances, nearest)
    return np.array(chosen, dtype=np.int64)
