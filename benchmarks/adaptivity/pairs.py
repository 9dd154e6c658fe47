"""Three pairs of scikit-image's photos: an easy one, a hard one, and two different scenes."""

from skimage import data

from benchmarks.pictures.guide import darker, view
from tiepoint.image import Image, read_image

ROLL_DEG = 40
SIZE = (380, 300)  # px


def pairs() -> dict[str, tuple[Image, Image]]:
    """Return the pairs by name: the motorcycle in stereo, the right image rotated and darker, and a cup instead."""
    left, right = (read_image(image) for image in data.stereo_motorcycle()[:2])
    return {
        "easy": (left, right),
        "hard": (left, darker(view(right, SIZE, yaw=0, pitch=0, roll=ROLL_DEG))),
        "different scenes": (left, read_image(data.coffee())),
    }
