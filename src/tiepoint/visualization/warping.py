"""Warping of an image by a homography, in chunks of rows.

Inverse mapping with bicubic interpolation. If the homography shrinks the image, it is downsampled first, to avoid
aliasing.
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

MAX_CHUNK_PIXELS = 1 << 20  # target pixels per chunk: about 60 MB
MAX_CONDITION = 1e10  # maximum condition number of a homography between unit squares; usually below 1e6


def checked_homography(homography: Values, image_size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """Scale a homography so that w = 1 at the image center; then w > 0 is in front of the camera.

    Args:
        homography: Homography from px of the image, shape (3, 3).
        image_size: Image size (width, height) in px.

    Raises:
        InvalidInput: If the shape is wrong, a value is not finite, the homography is singular, or it maps the image
            center to infinity.
    """
    H = checked_matrix("homography", homography)
    unit = np.diag([max(image_size), max(image_size), 1.0])
    condition = np.linalg.cond(np.linalg.inv(unit) @ H @ unit)
    w = H[2] @ (*_center(image_size), 1.0)
    if not condition < MAX_CONDITION or w == 0:
        raise InvalidInput(
            "the homography is singular, so it cannot be used for warping; it was estimated from too few or collinear "
            "points"
        )
    return H / w


class WarpedImage:
    """An image warped to a target by a homography.

    Args:
        image: Image to warp.
        target_from_image: Homography from px of the image to px of the target, from `checked_homography`.
    """

    def __init__(self, image: Image, target_from_image: Float[np.ndarray, "3 3"]) -> None:
        self.image_size = torch.tensor(image.image_size, dtype=torch.int64, device="cpu")
        side = _reduced_side(image.image_size, target_from_image)
        self.pixels = ImageTransform.fit(image.image_size, side).apply(image)[None]
        self.image_from_target = torch.from_numpy(np.linalg.inv(target_from_image))

    def rows(
        self, top: int, height: int, width: int
    ) -> tuple[Float32[Tensor, "3 h w"], Float32[Tensor, "h w"]]:
        """Render some rows of the target.

        Args:
            top: First row.
            height: Number of rows.
            width: Width of the target in px.

        Returns:
            RGB in [0, 1], and the relative distance of each pixel from the image border: 0 outside and on the border,
            1 in the center.
        """
        points, in_front = self._inverse_map(
            torch.arange(width, dtype=torch.int64, device="cpu"),
            torch.arange(top, top + height, dtype=torch.int64, device="cpu"),
        )
        positions = (2 * points + 1) / self.image_size - 1  # the borders are -1 and 1
        colors = F.grid_sample(
            self.pixels, positions.float()[None], mode="bicubic", padding_mode="border", align_corners=False
        )[0]
        inside = (1 - positions.abs().amax(dim=-1)).clamp(min=0) * in_front
        return colors.clamp(0, 1), inside.float()

    def _inverse_map(
        self, columns: Int[Tensor, "w"], rows: Int[Tensor, "h"]
    ) -> tuple[Float[Tensor, "h w 2"], Tensor]:
        """Map pixels of the target to the image, and check whether they are in front of the camera."""
        by_x, by_y, by_1 = self.image_from_target.T[..., None, None]
        x, y, w = by_x * columns + by_y * rows[:, None] + by_1
        in_front = w > 0
        w = torch.where(in_front, w, 1.0)  # points behind the camera are masked
        return torch.stack((x / w, y / w), dim=-1), in_front


def row_chunks(size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield (first row, number of rows) of the chunks of a target of size (width, height) px."""
    width, height = size
    step = max(1, MAX_CHUNK_PIXELS // width)
    yield from ((top, min(step, height - top)) for top in range(0, height, step))


def corners(image_size: tuple[int, int]) -> Float[np.ndarray, "4 2"]:
    """Return the outer corners (x, y) of an image in px, half a pixel beyond the centers of its corner pixels."""
    width, height = image_size
    return np.array([(0, 0), (width, 0), (width, height), (0, height)]) - 0.5


def _reduced_side(image_size: tuple[int, int], homography: Float[np.ndarray, "3 3"]) -> int | None:
    """Longer side to which an image can be downsampled before warping; None if the homography enlarges it.

    A homography scales areas by det(H) / w^3 at each point; the maximum over the image determines the side.
    """
    points = np.vstack((corners(image_size), _center(image_size)))
    w = to_homogeneous(points) @ homography[2]
    scale = float(np.sqrt(abs(np.linalg.det(homography)) / w[w > 0].min() ** 3))
    return None if scale >= 1 else max(1, round(scale * max(image_size)))


def _center(image_size: tuple[int, int]) -> Float[np.ndarray, "2"]:
    return (np.array(image_size) - 1) / 2
