"""A sheet of small pictures, each with a caption and a frame that says whether it fits."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from jaxtyping import Float

from tiepoint.image import Image, ImageTransform
from tiepoint.visualization.colors import Color, red_to_green

SIDE = 260  # px of a picture's longer side
GAP = 12
FRAME_WIDTH = 4
CAPTION_HEIGHT = 22
FONT_SIZE = 14
DOT_RADIUS = 1
BACKGROUND = (24, 24, 24)
PLAIN: Color = (230, 230, 230)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cell:
    """One picture of a sheet.

    Attributes:
        image: it is reduced to fit.
        caption: below the picture, cut where it is too long.
        points: (x, y) in px of the image, drawn as dots.
        good: True: a green frame, False: a red one, None: a white one.
    """

    image: Image
    caption: str
    points: Float[np.ndarray, "k 2"] | None = None
    good: bool | None = None


def contact_sheet(cells: Iterable[Cell], *, columns: int = 4) -> PIL.Image.Image:
    """Put pictures into rows.

    Args:
        cells: at least one; each is reduced before the next is asked for, so that only small pictures are kept.
        columns: pictures a row, at most.

    Returns:
        An RGB picture.
    """
    captions, pictures = zip(*map(_reduced, cells), strict=True)
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    tops = np.cumsum([GAP, *(max(picture.height for picture in row) + CAPTION_HEIGHT + GAP for row in rows)])
    size = (len(rows[0]) * (SIDE + GAP) + GAP, int(tops[-1]))
    sheet = PIL.Image.new("RGB", size, BACKGROUND)
    for number, (caption, picture) in enumerate(zip(captions, pictures, strict=True)):
        row, column = divmod(number, columns)
        left, bottom = GAP + column * (SIDE + GAP), int(tops[row + 1]) - GAP - CAPTION_HEIGHT
        sheet.paste(picture, (left + (SIDE - picture.width) // 2, bottom - picture.height))
        _write(sheet, caption, (left, bottom + 3))
    return sheet


def _write(sheet: PIL.Image.Image, caption: str, corner: tuple[int, int]) -> None:
    font = PIL.ImageFont.load_default(size=FONT_SIZE)
    PIL.ImageDraw.Draw(sheet).text(corner, _cut(caption, font, SIDE), fill=PLAIN, font=font)


def _reduced(cell: Cell) -> tuple[str, PIL.Image.Image]:
    return cell.caption, _small(cell)


def _small(cell: Cell) -> PIL.Image.Image:
    fit = ImageTransform.fit(cell.image.image_size, SIDE)
    picture = Image(pixels=fit.apply(cell.image)).to_pil()
    color = PLAIN if cell.good is None else red_to_green(float(cell.good))
    pen = PIL.ImageDraw.Draw(picture)
    points = np.zeros((0, 2)) if cell.points is None else cell.points
    for x, y in fit.to_resized(torch.from_numpy(points)).tolist():
        pen.ellipse((x - DOT_RADIUS, y - DOT_RADIUS, x + DOT_RADIUS, y + DOT_RADIUS), fill=color)
    pen.rectangle((0, 0, picture.width - 1, picture.height - 1), outline=color, width=FRAME_WIDTH)
    return picture


def _cut(text: str, font: PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont, width: int) -> str:
    """The longest beginning that fits."""
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text
