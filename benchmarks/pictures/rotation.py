"""Make the picture of docs/how-to/any-pair.md about rotation, from a freely redistributable photo (scikit-image, CC0).

python -m benchmarks pictures rotation
"""

import argparse

import PIL.Image
from skimage import data

import tiepoint
from benchmarks.pictures.guide import darker, save, view
from tiepoint.image import Image, read_image
from tiepoint.types.options import Views


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take no options."""


def main(arguments: argparse.Namespace) -> None:
    """Draw a cup of coffee and a darker view of it upside down: without (top) and with a search over views (bottom)."""
    image = read_image(data.coffee())
    rotated = darker(view(image, (400, 280), yaw=3, pitch=-1, roll=172))
    pictures = [draw_inliers(views, image, rotated) for views in (None, "rotation")]
    save("rotation-example", stack(pictures))


def draw_inliers(views: Views | None, image0: Image, image1: Image) -> PIL.Image.Image:
    """Draw the inliers and outliers of one matcher."""
    result = tiepoint.match(image0, image1, views=views, max_keypoints=1024, resize=640)
    estimate = tiepoint.estimate_homography(result)
    return result.draw_inliers(estimate, image0, image1)


def stack(pictures: list[PIL.Image.Image]) -> PIL.Image.Image:
    """Stack pictures of equal size vertically."""
    width, height = pictures[0].size
    sheet = PIL.Image.new("RGB", (width, len(pictures) * height))
    for row, picture in enumerate(pictures):
        sheet.paste(picture, (0, row * height))
    return sheet
