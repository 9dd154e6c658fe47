"""Make docs/images/verdict-examples.jpg from photographs that may be redistributed: those that scikit-image carries.

.venv/bin/python benchmarks/verdict_pictures.py
"""

from pathlib import Path

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from skimage import data

import tiepoint
from tiepoint.image import Image, read_image
from tiepoint.visualization import save_image

FILE = Path(__file__).resolve().parents[1] / "docs" / "images" / "verdict-examples.jpg"
WIDTH = 1000  # px
STRIP = 30  # px of a line of text
FONT_SIZE = 16
COLORS = {True: (20, 110, 50), False: (150, 30, 30)}
GRAY = (90, 90, 90)


def main() -> None:
    """A motorcycle from the left and from the right; a motorcycle and a cup of coffee."""
    left, right, _ = data.stereo_motorcycle()
    matcher = tiepoint.load("aliked+lightglue")
    pairs = [(read_image(left), read_image(right)), (read_image(left), read_image(data.coffee()))]
    FILE.parent.mkdir(parents=True, exist_ok=True)
    save_image(stacked([judged(matcher, *pair) for pair in pairs]), FILE)


def judged(matcher: tiepoint.Matcher, image0: Image, image1: Image) -> PIL.Image.Image:
    """The matches, with the verdict on a strip above."""
    result = matcher.match(image0, image1)
    drawn = result.draw(image0, image1)
    drawn = drawn.resize((WIDTH, round(drawn.height * WIDTH / drawn.width)), PIL.Image.Resampling.LANCZOS)
    said = result.verify()
    picture = PIL.Image.new("RGB", (WIDTH, drawn.height + STRIP), COLORS[said.same_scene])
    picture.paste(drawn, (0, STRIP))
    text = f"probability {said.probability:.3f}: {said.reason}"
    font = PIL.ImageFont.load_default(size=FONT_SIZE)
    PIL.ImageDraw.Draw(picture).text((10, 5), text, fill="white", font=font)
    return picture


def stacked(pictures: list[PIL.Image.Image]) -> PIL.Image.Image:
    """One above the other."""
    sheet = PIL.Image.new("RGB", (WIDTH, sum(picture.height + 8 for picture in pictures) - 8), GRAY)
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height + 8
    return sheet


if __name__ == "__main__":
    main()
