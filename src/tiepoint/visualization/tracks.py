"""Trails: where points of one image have been in the frames before it."""

from collections.abc import Mapping

import numpy as np
import PIL.Image
import PIL.ImageDraw
import torch
from jaxtyping import Float

from tiepoint.image import Image, ImageTransform
from tiepoint.visualization.captions import with_caption
from tiepoint.visualization.colors import color_of

FINENESS = 2  # drawn this many times larger, then reduced: that smooths the edges
LINE_WIDTH = 1.5  # px of the picture
DOT_RADIUS = 2.2


def draw_tracks(
    image: Image,
    trails: Mapping[int, Float[np.ndarray, "k 2"]],
    *,
    caption: str = "",
    max_side: int | None = 1280,
) -> PIL.Image.Image:
    """Draw a line along each trail, in a color that belongs to its number, and a dot at its end.

    Args:
        image: the last frame.
        trails: number of a track -> its points until now, in px of the image, the newest last.
        caption: in the upper left corner; "" for none.
        max_side: a longer side than this, in px, is reduced to it; None keeps every size.

    Returns:
        An RGB picture.
    """
    longer = max(image.image_size)
    fit = ImageTransform.fit(image.image_size, None if max_side is None else min(max_side, longer))
    picture = Image(pixels=fit.apply(image)).to_pil()
    fine = ImageTransform(image.image_size, (FINENESS * picture.width, FINENESS * picture.height))
    canvas = picture.resize(fine.resized_size, PIL.Image.Resampling.NEAREST)
    pen = PIL.ImageDraw.Draw(canvas)
    for number, points in trails.items():
        _draw_trail(pen, fine.to_resized(torch.from_numpy(points)).round().long().tolist(), color_of(number))
    return with_caption(canvas.reduce(FINENESS), caption)


def _draw_trail(pen: PIL.ImageDraw.ImageDraw, points: list[list[int]], color: tuple[int, int, int]) -> None:
    corners = [(x, y) for x, y in points]
    if len(corners) > 1:
        pen.line(corners, fill=color, width=round(LINE_WIDTH * FINENESS))
    if corners:
        (x, y), r = corners[-1], round(DOT_RADIUS * FINENESS)
        pen.ellipse((x - r, y - r, x + r, y + r), fill=color, outline=(0, 0, 0))
