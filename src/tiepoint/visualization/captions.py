"""Captions in the upper left corner of a drawing."""

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

FONT_SIZE = 15  # px of a drawing that is 800 px wide or narrower; it grows with the width of wider ones
MARGIN = 7
UNIT_WIDTH = 800
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
    unit = max(1.0, drawing.width / UNIT_WIDTH)
    font, margin = PIL.ImageFont.load_default(size=FONT_SIZE * unit), round(MARGIN * unit)
    box = pen.textbbox((2 * margin, 2 * margin), text, font=font)
    frame = (box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin)
    if text and frame[2] < drawing.width and frame[3] < drawing.height:
        pen.rounded_rectangle(frame, radius=margin // 2, fill=BOX_COLOR)
        pen.text((2 * margin, 2 * margin), text, fill=TEXT_COLOR, font=font)
    return drawing
