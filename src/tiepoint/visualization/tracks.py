"""Tracks: an image with the previous positions of its points."""

from collections.abc import Mapping

import numpy as np
import PIL.Image
import PIL.ImageDraw
import torch
from jaxtyping import Float

from tiepoint.image import Image, ImageTransform
from tiepoint.visualization.captions import with_caption
from tiepoint.visualization.colors import color_of

SUPERSAMPLING = 2  # factor by which lines are drawn larger, for antialiasing
LINE_WIDTH = 1.5  # px of the drawing
DOT_RADIUS = 2.2


def draw_tracks(
    image: Image,
    trails: Mapping[int, Float[np.ndarray, "k 2"]],
    *,
    caption: str = "",
    max_side: int | None = 1280,
) -> PIL.Image.Image:
    """Draw each track as a line with a dot at its end, in a color determined by its ID.

    Args:
        image: Last frame.
        trails: Track ID -> points (x, y) in px of the image, in temporal order.
        caption: Caption in the upper left corner; "" for none.
        max_side: Maximum image side in px; larger images are downsampled. None keeps the size.

    Returns:
        RGB image.
    """
    longer = max(image.image_size)
    fit = ImageTransform.fit(image.image_size, None if max_side is None else min(max_side, longer))
    drawing = Image(pixels=fit.apply(image)).to_pil()
    fine = ImageTransform(image.image_size, (SUPERSAMPLING * drawing.width, SUPERSAMPLING * drawing.height))
    canvas = drawing.resize(fine.resized_size, PIL.Image.Resampling.NEAREST)
    pen = PIL.ImageDraw.Draw(canvas)
    for number, points in trails.items():
        _draw_trail(pen, fine.to_resized(torch.from_numpy(points)).round().long().tolist(), color_of(number))
    return with_caption(canvas.reduce(SUPERSAMPLING), caption)


def _draw_trail(pen: PIL.ImageDraw.ImageDraw, points: list[list[int]], color: tuple[int, int, int]) -> None:
    vertices = [(x, y) for x, y in points]
    if len(vertices) > 1:
        pen.line(vertices, fill=color, width=round(LINE_WIDTH * SUPERSAMPLING))
    if vertices:
        (x, y), r = vertices[-1], round(DOT_RADIUS * SUPERSAMPLING)
        pen.ellipse((x - r, y - r, x + r, y + r), fill=color, outline=(0, 0, 0))
