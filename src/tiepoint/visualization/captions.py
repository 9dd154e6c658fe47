"""Captions in the upper left corner of a drawing."""

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

FONT_SIZE = 16  # px of the drawing
MARGIN = 8
BOX_COLOR = (0, 0, 0, 170)
TEXT_COLOR = (255, 255, 255)


def captioned(caption: str | None, text: str) -> str:
    """Prepend the user's caption to a text; "" disables the caption."""
    if caption == "":
        return ""
    return f"{caption}: {text}" if caption else text


def count_text(count: int) -> str:
    """Return "1 match" or "N matches"."""
    return f"{count:,} match" if count == 1 else f"{count:,} matches"


def with_caption(drawing: PIL.Image.Image, text: str) -> PIL.Image.Image:
    """Write a text into the upper left corner, unless the drawing is too small for it."""
    pen = PIL.ImageDraw.Draw(drawing, "RGBA")
    font = PIL.ImageFont.load_default(size=FONT_SIZE)
    box = pen.textbbox((2 * MARGIN, 2 * MARGIN), text, font=font)
    frame = (box[0] - MARGIN, box[1] - MARGIN, box[2] + MARGIN, box[3] + MARGIN)
    if text and frame[2] < drawing.width and frame[3] < drawing.height:
        pen.rounded_rectangle(frame, radius=MARGIN // 2, fill=BOX_COLOR)
        pen.text((2 * MARGIN, 2 * MARGIN), text, fill=TEXT_COLOR, font=font)
    return drawing
