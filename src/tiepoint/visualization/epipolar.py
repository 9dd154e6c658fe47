"""Epipolar lines: where the partners of points must lie, whatever their depth."""

import numpy as np
import PIL.Image
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.geometry.multiview import epipolar_lines
from tiepoint.image import Image
from tiepoint.visualization.canvas import Canvas
from tiepoint.visualization.captions import captioned, counted, with_caption
from tiepoint.visualization.colors import distinct
from tiepoint.visualization.validation import Values, checked_matrix, checked_pair

LINE_WIDTH = 2.0  # px of the picture
DOT_RADIUS = 4.0

ALMOST_0 = 1e-200  # a line along an axis crosses the borders beside it at no finite place


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
    """Draw points of both images, each with the epipolar line of its partner, in matching colors.

    A point off the line of its color is a wrong match, or the matrix is wrong.

    Args:
        image0: the left image.
        image1: the right image.
        points0: (k, 2), (x, y) px of the original image 0; the center of the top-left pixel is (0, 0).
        points1: (k, 2), their partners in image 1.
        fundamental: (3, 3), F with p1^T F p0 = 0 for homogeneous (x, y, 1) in px of the original images.
        max_lines: so many points of these, spread over image 0.
        caption: text in front of the numbers; "" leaves the whole caption out.
        max_side: images with a longer side than this, in px, are reduced to it; None keeps every size.

    Returns:
        An RGB picture as wide as both images, black where there is no image.

    Raises:
        InvalidInput: points or matrix of a wrong shape or not finite; a negative max_lines.

    Source: Hartley and Zisserman, Multiple View Geometry, section 9.2.
    """
    points0, points1 = checked_pair(points0, points1)
    F = checked_matrix("fundamental", fundamental)
    chosen = _spread(points0, max_lines)
    canvas = Canvas(image0, image1, max_side)
    _draw_side(canvas, 1, image1.image_size, epipolar_lines(points0[chosen], F), points1[chosen])
    _draw_side(canvas, 0, image0.image_size, epipolar_lines(points1[chosen], F.T), points0[chosen])
    text = f"epipolar lines of {len(chosen)} of {counted(len(points0))}"
    return with_caption(canvas.picture(), captioned(caption, text))


def _draw_side(
    canvas: Canvas, side: int, image_size: tuple[int, int], lines: np.ndarray, points: np.ndarray
) -> None:
    colors = distinct(len(points))
    starts, ends, visible = clip_lines(lines, image_size)
    seen = [color for color, shown in zip(colors, visible, strict=True) if shown]
    canvas.draw_segments(side, starts[visible], ends[visible], seen, width=LINE_WIDTH)
    canvas.draw_points(side, points, colors, radius=DOT_RADIUS)


def clip_lines(
    lines: Float[np.ndarray, "k 3"], image_size: tuple[int, int]
) -> tuple[Float[np.ndarray, "k 2"], Float[np.ndarray, "k 2"], np.ndarray]:
    """Cut lines to what an image shows of them.

    Args:
        lines: (a, b, c) with a x + b y + c = 0 and a^2 + b^2 = 1; NaN where there is no line.
        image_size: (width, height) in px.

    Returns:
        Starts and ends, (x, y) px on the border of the image, and (k,) bool, which lines it shows at all.
    """
    a, b, c = lines.T
    foot, along = np.stack((-a * c, -b * c), axis=1), np.stack((-b, a), axis=1)
    low, high = np.array([-0.5, -0.5]), np.array(image_size) - 0.5
    steps = np.where(np.abs(along) < ALMOST_0, ALMOST_0, along)
    crossings = np.sort([(low - foot) / steps, (high - foot) / steps], axis=0)
    enter, leave = crossings[0].max(axis=1, keepdims=True), crossings[1].min(axis=1, keepdims=True)
    return foot + enter * along, foot + leave * along, (enter < leave)[:, 0]


def _spread(points: np.ndarray, count: int) -> np.ndarray:
    """Indices of so many points, each as far from those before it as can be; the first is the leftmost."""
    if count < 0:
        raise InvalidInput(f"max_lines must be 0 or more, but is {count}")
    chosen: list[int] = []
    distances = -points[:, 0]
    for _ in range(min(count, len(points))):
        chosen.append(int(distances.argmax()))
        nearest = np.linalg.norm(points - points[chosen[-1]], axis=1)
        distances = nearest if len(chosen) == 1 else np.minimum(distances, nearest)
    return np.array(chosen, dtype=np.int64)
