"""Make pictures of docs/guide.md and docs/robust-matching.md from photographs that may be redistributed: those that scikit-image carries.

.venv/bin/python benchmarks/render_pictures.py

Photographs of one scene by a camera that only turned are made of one of them; the motorcycle is a real stereo pair
(Middlebury 2014), its right camera turned a little too, so that the epipolar lines aren't just rows.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import PIL.Image
from skimage import data

import tiepoint
from tiepoint.image import Image, read_image
from tiepoint.video.overlay import TrailDrawer
from tiepoint.visualization import save_image
from tiepoint.visualization.contact_sheet import Cell, contact_sheet
from tiepoint.visualization.warping import WarpedImage, checked_homography

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "images"
WIDEST = 1200  # px
CUP = [(160, 20), (430, 20), (430, 320), (160, 320)]  # corners of a polygon, px


def main() -> None:
    """Write all pictures, and say how large they are."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    matcher = tiepoint.load("aliked+lightglue")
    save("overlay", overlay(matcher))
    save("panorama", panorama(matcher))
    save("epipolar-lines", epipolar_lines(matcher))
    save("found", found())
    save("tracks", tracks())
    save("masks", masks())


def overlay(matcher: tiepoint.Matcher) -> PIL.Image.Image:
    """A cup of coffee (CC0), and a darker view of it from elsewhere, in squares."""
    photograph = read_image(data.coffee())
    pair = darker(view(photograph, (400, 280), yaw=3, pitch=-1, roll=12)), photograph
    result = matcher.match(*pair)
    return result.overlay(tiepoint.estimate_homography(result), *pair, mode="checkerboard")


def panorama(matcher: tiepoint.Matcher) -> PIL.Image.Image:
    """The motorcycle's left photograph, seen by a camera that turned from left to right."""
    photograph = read_image(data.stereo_motorcycle()[0])
    pair = (
        view(photograph, (370, 400), yaw=10, pitch=1, roll=3),
        view(photograph, (370, 400), yaw=-10, pitch=-1, roll=-2),
    )
    result = matcher.match(*pair)
    return result.panorama(tiepoint.estimate_homography(result), *pair)


def epipolar_lines(matcher: tiepoint.Matcher) -> PIL.Image.Image:
    """The motorcycle, with the right camera turned."""
    left, right, _ = (np.asarray(part) for part in data.stereo_motorcycle())
    pair = read_image(left), view(read_image(right), (600, 400), yaw=0, pitch=0, roll=7)
    result = matcher.match(*pair)
    return result.draw_epipolar_lines(tiepoint.estimate_fundamental(result), *pair)


def found() -> PIL.Image.Image:
    """A cup of coffee (CC0), looked for among other views of it, and what else scikit-image has."""
    cup = read_image(data.coffee())
    views = {"turned": (4, 2, 15), "from the left": (6, -2, -8), "darker": (-5, 1, 4)}
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
    """The motorcycle's left photograph, seen by a camera that turns: the last frame, and where its points came from."""
    photograph = read_image(data.stereo_motorcycle()[0])
    frames = [
        view(photograph, (420, 300), yaw=8 - 1.6 * step, pitch=np.sin(step), roll=step - 4)
        for step in range(10)
    ]
    drawn: list[PIL.Image.Image] = []
    tiepoint.track(frames, max_keypoints=200, on_frame=TrailDrawer(drawn.append))
    return drawn[-1]


def masks() -> PIL.Image.Image:
    """A cup of coffee with 300 keypoints: anywhere, only on the cup, and away from the sides."""
    cup = read_image(data.coffee())
    anywhere, inside = (tiepoint.load(max_keypoints=300, border=border) for border in (0, 60))
    found = {
        "anywhere": anywhere.extract(cup),
        "mask: only the cup": anywhere.extract(cup, mask=[CUP]),
        "border: 60 px": inside.extract(cup),
    }
    return contact_sheet(
        [Cell(image=cup, caption=name, points=each.keypoints.numpy()) for name, each in found.items()]
    )


def view(photograph: Image, size: tuple[int, int], *, yaw: float, pitch: float, roll: float) -> Image:
    """What the camera would have seen of this, turned by these angles in degrees, in a smaller frame."""
    focal = 1.2 * photograph.image_size[0]
    homography = (
        intrinsics(focal, size)
        @ rotation(yaw, pitch, roll)
        @ np.linalg.inv(intrinsics(focal, photograph.image_size))
    )
    warped = WarpedImage(photograph, checked_homography(homography, photograph.image_size))
    colors, inside = warped.rows(0, size[1], size[0])
    assert inside.min() > 0, "the view leaves the photograph"
    return Image(pixels=colors)


def darker(image: Image) -> Image:
    """The same with a shorter exposure."""
    return Image(pixels=image.pixels**1.5)


def intrinsics(focal: float, size: tuple[int, int]) -> np.ndarray:
    """K of a camera with its principal point in the center."""
    return np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1]])


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """About y (downwards), x (to the right), z (forwards), in degrees."""
    (cy, sy), (cp, sp), (cr, sr) = ((np.cos(a), np.sin(a)) for a in np.deg2rad((yaw, pitch, roll)))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def save(name: str, picture: PIL.Image.Image) -> None:
    """As JPEG, not wider than a page needs."""
    picture.thumbnail((WIDEST, WIDEST))
    path = save_image(picture, PICTURES / f"{name}.jpg")
    print(
        f"{path.relative_to(PICTURES.parents[1])}: {picture.width} x {picture.height}, {path.stat().st_size:,} bytes"
    )


if __name__ == "__main__":
    main()
