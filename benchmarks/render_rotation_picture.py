"""Make the picture of docs/robust-matching.md about rotation, from a photograph that may be redistributed (scikit-image, CC0).

.venv/bin/python benchmarks/render_rotation_picture.py
"""

import PIL.Image
from skimage import data

import tiepoint
from render_pictures import darker, save, view
from tiepoint.image import Image, read_image


def main() -> None:
    """A cup of coffee, and a darker view of it upside down: above as it is, below with rotations="auto"."""
    photograph = read_image(data.coffee())
    turned = darker(view(photograph, (400, 280), yaw=3, pitch=-1, roll=172))
    save("rotation-example", stacked([drawn(rotations, photograph, turned) for rotations in (None, "auto")]))


def drawn(rotations: str | None, image0: Image, image1: Image) -> PIL.Image.Image:
    """The inliers and outliers of one matcher."""
    result = tiepoint.match(image0, image1, rotations=rotations, max_keypoints=1024, resize=640)
    estimate = tiepoint.estimate_homography(result)
    return result.draw_inliers(estimate, image0, image1, max_lines=100)


def stacked(pictures: list[PIL.Image.Image]) -> PIL.Image.Image:
    """One above the other."""
    width, height = pictures[0].size
    sheet = PIL.Image.new("RGB", (width, len(pictures) * height))
    for row, picture in enumerate(pictures):
        sheet.paste(picture, (0, row * height))
    return sheet


if __name__ == "__main__":
    main()
