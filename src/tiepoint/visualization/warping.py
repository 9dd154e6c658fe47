"""An image seen through a homography, rendered a few rows at a time.

Pixels are looked up backwards: for each pixel of the target, where it lies in the image, and bicubically what is
there. Where the homography shrinks, the image is reduced first, against aliasing.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.geometry.multiview import to_homogeneous
from tiepoint.image import Image, ImageTransform
from tiepoint.visualization.validation import Values, checked_matrix

PIXELS_AT_A_TIME = 1 << 20  # of the target, held in floating point: about 60 MB
LARGEST_CONDITION = 1e10  # of a homography between unit squares; a real one stays below 1e6


def checked_homography(homography: Values, image_size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """The same homography, scaled so that w = 1 at the center of the image: w > 0 is in front of the viewer.

    Raises:
        InvalidInput: another shape, not finite, not invertible, or the image's center goes to infinity.
    """
    H = checked_matrix("homography", homography)
    unit = np.diag([max(image_size), max(image_size), 1.0])
    condition = np.linalg.cond(np.linalg.inv(unit) @ H @ unit)
    w = H[2] @ (*_center(image_size), 1.0)
    if not condition < LARGEST_CONDITION or w == 0:
        raise InvalidInput(
            "the homography can't be inverted, so no picture can be made with it; "
            "it came from too few points, or from points on one line: match more, and estimate again"
        )
    return H / w


class WarpedImage:
    """An image as a homography puts it onto a target.

    Args:
        image: what is warped.
        target_from_image: (3, 3), from `checked_homography`: px of the image to px of the target.
    """

    def __init__(self, image: Image, target_from_image: Float[np.ndarray, "3 3"]) -> None:
        self.image_size = torch.tensor(image.image_size)
        side = _reduced_side(image.image_size, target_from_image)
        self.pixels = ImageTransform.fit(image.image_size, side).apply(image)[None]
        self.image_from_target = torch.from_numpy(np.linalg.inv(target_from_image))

    def rows(
        self, top: int, height: int, width: int
    ) -> tuple[Float32[Tensor, "3 h w"], Float32[Tensor, "h w"]]:
        """Some rows of the target.

        Args:
            top: the first row.
            height: how many.
            width: of the target, in px.

        Returns:
            RGB in [0, 1]; and how far inside the image each pixel lies: 0 outside and on its border, 1 in the middle.
        """
        points, in_front = self._look_up(torch.arange(width), torch.arange(top, top + height))
        positions = (2 * points + 1) / self.image_size - 1  # the borders are -1 and 1
        colors = F.grid_sample(
            self.pixels, positions.float()[None], mode="bicubic", padding_mode="border", align_corners=False
        )[0]
        inside = (1 - positions.abs().amax(dim=-1)).clamp(min=0) * in_front
        return colors.clamp(0, 1), inside.float()

    def _look_up(
        self, columns: Int[Tensor, "w"], rows: Int[Tensor, "h"]
    ) -> tuple[Float[Tensor, "h w 2"], Tensor]:
        """Where pixels of the target lie in the image, and whether in front of the viewer."""
        by_x, by_y, by_1 = self.image_from_target.T[..., None, None]
        x, y, w = by_x * columns + by_y * rows[:, None] + by_1
        in_front = w > 0
        w = torch.where(in_front, w, 1.0)  # what lies behind is masked
        return torch.stack((x / w, y / w), dim=-1), in_front


def strips(size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """(first row, number of rows) of strips of a target of (width, height) px, few enough to be held at once."""
    width, height = size
    step = max(1, PIXELS_AT_A_TIME // width)
    yield from ((top, min(step, height - top)) for top in range(0, height, step))


def corners(image_size: tuple[int, int]) -> Float[np.ndarray, "4 2"]:
    """The outer corners of an image, (x, y) px, half a pixel beyond the centers of its corner pixels."""
    width, height = image_size
    return np.array([(0, 0), (width, 0), (width, height), (0, height)]) - 0.5


def _reduced_side(image_size: tuple[int, int], homography: Float[np.ndarray, "3 3"]) -> int | None:
    """The longer side to which an image may be reduced before it is warped; None: the homography enlarges it.

    A homography scales areas by det(H) / w^3 at each point. What counts is where it scales most.
    """
    places = np.vstack((corners(image_size), _center(image_size)))
    w = to_homogeneous(places) @ homography[2]
    scale = float(np.sqrt(abs(np.linalg.det(homography)) / w[w > 0].min() ** 3))
    return None if scale >= 1 else max(1, round(scale * max(image_size)))


def _center(image_size: tuple[int, int]) -> Float[np.ndarray, "2"]:
    return (np.array(image_size) - 1) / 2
