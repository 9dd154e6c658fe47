"""Contact sheet: thumbnails with captions and colored frames."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from jaxtyping import Float

from tiepoint.image import Image, ImageTransform
from tiepoint.visualization.colors import INLIER, OUTLIER, Color

SIDE = 260  # longer side of a thumbnail in px
GAP = 12
FRAME_WIDTH = 4
CAPTION_HEIGHT = 22
FONT_SIZE = 14
DOT_RADIUS = 1
BACKGROUND = (24, 24, 24)
PLAIN: Color = (230, 230, 230)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cell:
    """Cell of a contact sheet.

    Attributes:
        image: Image, downsampled to a thumbnail.
        caption: Text below the thumbnail, truncated to its width.
        points: Points (x, y) in px of the image, drawn as dots.
        good: Color of the frame: green for True, red for False, white for None.
    """

    image: Image
    caption: str
    points: Float[np.ndarray, "k 2"] | None = None
    good: bool | None = None


def contact_sheet(cells: Iterable[Cell], *, columns: int = 4) -> PIL.Image.Image:
    """Arrange thumbnails in rows.

    Args:
        cells: Cells, at least one; consumed one by one, so that only thumbnails are kept in memory.
        columns: Maximum number of thumbnails per row.

    Returns:
        RGB image.
    """
    captions, thumbnails = zip(*map(_captioned_thumbnail, cells), strict=True)
    rows = [thumbnails[start : start + columns] for start in range(0, len(thumbnails), columns)]
    tops = np.cumsum(
        [GAP, *(max(thumbnail.height for thumbnail in row) + CAPTION_HEIGHT + GAP for row in rows)]
    )
    size = (len(rows[0]) * (SIDE + GAP) + GAP, int(tops[-1]))
    sheet = PIL.Image.new("RGB", size, BACKGROUND)
    for number, (caption, thumbnail) in enumerate(zip(captions, thumbnails, strict=True)):
        row, column = divmod(number, columns)
        left, bottom = GAP + column * (SIDE + GAP), int(tops[row + 1]) - GAP - CAPTION_HEIGHT
        sheet.paste(thumbnail, (left + (SIDE - thumbnail.width) // 2, bottom - thumbnail.height))
        _write(sheet, caption, (left, bottom + 3))
    return sheet


def _write(sheet: PIL.Image.Image, caption: str, corner: tuple[int, int]) -> None:
    font = PIL.ImageFont.load_default(size=FONT_SIZE)
    PIL.ImageDraw.Draw(sheet).text(corner, _truncate(caption, font, SIDE), fill=PLAIN, font=font)


def _captioned_thumbnail(cell: Cell) -> tuple[str, PIL.Image.Image]:
    return cell.caption, _thumbnail(cell)


def _thumbnail(cell: Cell) -> PIL.Image.Image:
    fit = ImageTransform.fit(cell.image.image_size, SIDE)
    thumbnail = Image(pixels=fit.apply(cell.image)).to_pil()
    color = {None: PLAIN, True: INLIER, False: OUTLIER}[cell.good]
    pen = PIL.ImageDraw.Draw(thumbnail)
    points = np.zeros((0, 2)) if cell.points is None else cell.points
    for x, y in fit.to_resized(torch.from_numpy(points)).tolist():
        pen.ellipse((x - DOT_RADIUS, y - DOT_RADIUS, x + DOT_RADIUS, y + DOT_RADIUS), fill=color)
    pen.rectangle((0, 0, thumbnail.width - 1, thumbnail.height - 1), outline=color, width=FRAME_WIDTH)
    return thumbnail


def _truncate(text: str, font: PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont, width: int) -> str:
    """Truncate a text to a width in px."""
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text
