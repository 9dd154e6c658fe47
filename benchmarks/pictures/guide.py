"""Make the pictures of README.md and docs/how-to from freely redistributable photos: those of scikit-image.

    python -m benchmarks pictures guide

Images of one scene by a camera in pure rotation are made of one photo; the motorcycle is a real stereo pair (Middlebury
2014), its right camera rotated a little too, so that the epipolar lines are not just rows.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import PIL.Image
from skimage import data

import tiepoint
from benchmarks.paths import PICTURES
from tiepoint.image import Image, read_image
from tiepoint.video.overlay import TrailDrawer
from tiepoint.visualization import save_image
from tiepoint.visualization.contact_sheet import Cell, contact_sheet
from tiepoint.visualization.warping import WarpedImage, checked_homography

MAX_WIDTH_PX = 1200
CUP_POLYGON = [(160, 20), (430, 20), (430, 320), (160, 320)]  # corners of a polygon, px


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take no options."""


def main(arguments: argparse.Namespace) -> None:
    """Write all pictures and print their sizes."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    matcher = tiepoint.load("aliked+lightglue")
    save("matches", matches(matcher))
    save("overlay", overlay(matcher))
    save("panorama", panorama(matcher))
    save("epipolar-lines", epipolar_lines(matcher))
    save("found", ranking())
    save("tracks", tracks())
    save("masks", masks())


def matches(matcher: tiepoint.Matcher) -> PIL.Image.Image:
    """Draw the matches of the motorcycle, as `tiepoint demo` does."""
    pair = data.stereo_motorcycle()[:2]
    return matcher.match(*pair).draw(*pair)


def overlay(matcher: tiepoint.Matcher) -> PIL.Image.Image:
    """Overlay a cup of coffee (CC0) and a darker view of it as a checkerboard."""
    image = read_image(data.coffee())
    pair = darker(view(image, (400, 280), yaw=3, pitch=-1, roll=12)), image
    result = matcher.match(*pair)
    return result.overlay(tiepoint.estimate_homography(result), *pair, mode="checkerboard")


def panorama(matcher: tiepoint.Matcher) -> PIL.Image.Image:
    """Stitch two views of the motorcycle's left image, by a camera that rotates."""
    image = read_image(data.stereo_motorcycle()[0])
    pair = (
        view(image, (370, 400), yaw=10, pitch=1, roll=3),
        view(image, (370, 400), yaw=-10, pitch=-1, roll=-2),
    )
    result = matcher.match(*pair)
    return result.panorama(tiepoint.estimate_homography(result), *pair)


def epipolar_lines(matcher: tiepoint.Matcher) -> PIL.Image.Image:
    """Draw epipolar lines of the motorcycle, with the right camera rotated."""
    left, right, _ = (np.asarray(part) for part in data.stereo_motorcycle())
    pair = read_image(left), view(read_image(right), (600, 400), yaw=0, pitch=0, roll=7)
    result = matcher.match(*pair)
    return result.draw_epipolar_lines(tiepoint.estimate_fundamental(result), *pair)


def ranking() -> PIL.Image.Image:
    """Search a cup of coffee (CC0) among other views of it and other images of scikit-image."""
    cup = read_image(data.coffee())
    views = {"rotated": (4, 2, 15), "from the left": (6, -2, -8), "darker": (-5, 1, 4)}
    images = {name: view(cup, (340, 230), yaw=y, pitch=p, roll=r) for name, (y, p, r) in views.items()}
    images["darker"] = darker(images["darker"])
    others = {"motorcycle": data.stereo_motorcycle()[0], "cat": data.chelsea(), "rocket": data.rocket()}
    images |= {name: read_image(pixels) for name, pixels in others.items()}
    with TemporaryDirectory() as folder:
        cup.to_pil().save(Path(folder) / "cup.png")
        for name, image in images.items():
            image.to_pil().save(Path(folder) / f"{name}.png")
        return tiepoint.find(Path(folder) / "cup.png", folder).draw()


def tracks() -> PIL.Image.Image:
    """Track views of the motorcycle's left image, by a camera that rotates: the last frame with the trails of its points."""
    image = read_image(data.stereo_motorcycle()[0])
    frames = [
        view(image, (420, 300), yaw=8 - 1.6 * step, pitch=np.sin(step), roll=step - 4) for step in range(10)
    ]
    drawn: list[PIL.Image.Image] = []
    tiepoint.track(frames, max_keypoints=200, on_frame=TrailDrawer(drawn.append))
    return drawn[-1]


def masks() -> PIL.Image.Image:
    """Draw 300 keypoints of a cup of coffee: anywhere, only on the cup, and away from the border."""
    cup = read_image(data.coffee())
    anywhere, inside = (tiepoint.load(max_keypoints=300, border=border) for border in (0, 60))
    features = {
        "anywhere": anywhere.extract(cup),
        "mask: only the cup": anywhere.extract(cup, mask=[CUP_POLYGON]),
        "border: 60 px": inside.extract(cup),
    }
    return contact_sheet(
        [Cell(image=cup, caption=name, points=each.keypoints.numpy()) for name, each in features.items()]
    )


def view(image: Image, size: tuple[int, int], *, yaw: float, pitch: float, roll: float) -> Image:
    """Return the view of a camera rotated by these angles in degrees, in a smaller frame."""
    focal = 1.2 * image.image_size[0]
    homography = (
        intrinsics(focal, size)
        @ rotation(yaw, pitch, roll)
        @ np.linalg.inv(intrinsics(focal, image.image_size))
    )
    warped = WarpedImage(image, checked_homography(homography, image.image_size))
    colors, inside = warped.rows(0, size[1], size[0])
    assert inside.min() > 0, "the view exceeds the image"
    return Image(pixels=colors)


def darker(image: Image) -> Image:
    """Return the image with a shorter exposure."""
    return Image(pixels=image.pixels**1.5)


def intrinsics(focal: float, size: tuple[int, int]) -> np.ndarray:
    """Return K of a camera with its principal point in the center."""
    return np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1]])


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Return the rotation about y (down), x (right) and z (forward), in degrees."""
    (cy, sy), (cp, sp), (cr, sr) = ((np.cos(a), np.sin(a)) for a in np.deg2rad((yaw, pitch, roll)))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def save(name: str, picture: PIL.Image.Image) -> None:
    """Save a picture as JPEG, at most as wide as a page needs."""
    picture.thumbnail((MAX_WIDTH_PX, MAX_WIDTH_PX))
    path = save_image(picture, PICTURES / f"{name}.jpg")
    print(
        f"{path.relative_to(PICTURES.parents[1])}: {picture.width} x {picture.height}, {path.stat().st_size:,} bytes"
    )
