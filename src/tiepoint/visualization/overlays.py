"""An image warped onto another one: what fits looks sharp, what doesn't looks double."""

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.visualization.validation import Values
from tiepoint.visualization.warping import WarpedImage, checked_homography, strips

OverlayMode: TypeAlias = Literal["blend", "checkerboard"]


def draw_overlay(
    image0: Image,
    image1: Image,
    homography: Values,
    *,
    mode: OverlayMode = "blend",
    alpha: float = 0.5,
    tiles: int = 8,
) -> PIL.Image.Image:
    """Warp image 0 onto image 1.

    Args:
        image0: the image that is warped.
        image1: the image that stays as it is; where image 0 doesn't reach, it is seen alone.
        homography: (3, 3), px of image 0 to px of image 1.
        mode: "blend" mixes both; "checkerboard" shows them in turn, in squares.
        alpha: how much of image 0 a blend shows, 0 to 1.
        tiles: squares of the checkerboard along the longer side.

    Returns:
        An RGB picture of the size of image 1.

    Raises:
        InvalidInput: a homography that isn't one; an unknown mode; alpha or tiles out of range.
    """
    share = _share_of_image0(mode, alpha, tiles, image1.image_size)
    warped = WarpedImage(image0, checked_homography(homography, image0.image_size))
    width, height = image1.image_size
    below = image1.to_pil()
    for top, rows in strips((width, height)):
        colors, inside = warped.rows(top, rows, width)
        box = (0, top, width, top + rows)
        under = torch.from_numpy(np.array(below.crop(box))).permute(2, 0, 1)
        mixed = torch.lerp(under.float(), colors * 255, share(top, rows, width) * (inside > 0))
        below.paste(to_pil(mixed), box)
    return below


def to_pil(values: Tensor) -> PIL.Image.Image:
    """An RGB picture of (3, h, w) values from 0 to 255."""
    return PIL.Image.fromarray(values.round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy())


def _share_of_image0(
    mode: str, alpha: float, tiles: int, size: tuple[int, int]
) -> Callable[[int, int, int], Tensor]:
    """A function of (first row, rows, width) that gives the share of image 0 at each pixel."""
    if mode not in get_args(OverlayMode):
        raise InvalidInput(f"mode must be {' or '.join(map(repr, get_args(OverlayMode)))}, but is {mode!r}")
    if not 0 <= alpha <= 1:
        raise InvalidInput(f"alpha must be a number from 0 to 1, but is {alpha!r}")
    if tiles < 1:
        raise InvalidInput(f"tiles must be 1 or more, but is {tiles!r}")
    if mode == "blend":
        return lambda top, rows, width: torch.full((rows, width), alpha)
    side = -(-max(size) // tiles)
    return lambda top, rows, width: _squares(top, rows, width, side)


def _squares(top: int, rows: int, width: int, side: int) -> Tensor:
    """1 and 0 in turn; 1 in the top left corner."""
    y, x = torch.arange(top, top + rows) // side, torch.arange(width) // side
    return 1.0 - (y[:, None] + x) % 2
