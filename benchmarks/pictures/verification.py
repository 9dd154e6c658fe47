"""Make docs/images/verification-examples.jpg from freely redistributable photos: those of scikit-image.

python -m benchmarks pictures verification
"""

import argparse

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from skimage import data

import tiepoint
from benchmarks.paths import PICTURES
from tiepoint.image import Image, read_image
from tiepoint.visualization import save_image

PICTURE = PICTURES / "verification-examples.jpg"
WIDTH_PX = 1000
CAPTION_HEIGHT_PX = 30
GAP_PX = 8
FONT_SIZE = 16
COLORS = {True: (20, 110, 50), False: (150, 30, 30)}
GRAY = (90, 90, 90)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take no options."""


def main(arguments: argparse.Namespace) -> None:
    """Draw a stereo pair of a motorcycle, and a motorcycle and a cup of coffee."""
    left, right, _ = data.stereo_motorcycle()
    matcher = tiepoint.load("aliked+lightglue")
    pairs = [(read_image(left), read_image(right)), (read_image(left), read_image(data.coffee()))]
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    save_image(stack([draw_pair(matcher, *pair) for pair in pairs]), PICTURE)


def draw_pair(matcher: tiepoint.Matcher, image0: Image, image1: Image) -> PIL.Image.Image:
    """Draw the matches below a caption with the result of pair verification."""
    result = matcher.match(image0, image1)
    drawn = result.draw(image0, image1)
    drawn = drawn.resize(
        (WIDTH_PX, round(drawn.height * WIDTH_PX / drawn.width)), PIL.Image.Resampling.LANCZOS
    )
    verification = result.verify()
    picture = PIL.Image.new(
        "RGB", (WIDTH_PX, drawn.height + CAPTION_HEIGHT_PX), COLORS[verification.same_scene]
    )
    picture.paste(drawn, (0, CAPTION_HEIGHT_PX))
    text = f"probability {verification.probability:.3f}: {verification.reason}"
    font = PIL.ImageFont.load_default(size=FONT_SIZE)
    PIL.ImageDraw.Draw(picture).text((10, 5), text, fill="white", font=font)
    return picture


def stack(pictures: list[PIL.Image.Image]) -> PIL.Image.Image:
    """Stack pictures of equal width vertically."""
    sheet = PIL.Image.new(
        "RGB", (WIDTH_PX, sum(picture.height + GAP_PX for picture in pictures) - GAP_PX), GRAY
    )
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height + GAP_PX
    return sheet
