"""Overlay: image 0 warped onto image 1; ghosting (double images) indicates misregistration."""

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.visualization.validation import Values
from tiepoint.visualization.warping import WarpedImage, checked_homography, row_chunks

OverlayMode: TypeAlias = Literal["blend", "checkerboard"]
"""Way to show two images in one frame."""


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
        image0: Image to warp.
        image1: Image that is not warped; shown alone outside of image 0.
        homography: Homography from px of image 0 to px of image 1, shape (3, 3).
        mode: "blend" mixes both images; "checkerboard" alternates them.
        alpha: Opacity of image 0 in a blend, in [0, 1].
        tiles: Number of checkerboard tiles along the longer side.

    Returns:
        RGB image of the size of image 1.

    Raises:
        InvalidInput: If the homography is invalid, the mode is unknown, or alpha or tiles are out of range.
    """
    opacity = _opacity_of_image0(mode, alpha, tiles, image1.image_size)
    warped = WarpedImage(image0, checked_homography(homography, image0.image_size))
    width, height = image1.image_size
    background = image1.to_pil()
    for top, rows in row_chunks((width, height)):
        colors, inside = warped.rows(top, rows, width)
        box = (0, top, width, top + rows)
        behind = torch.from_numpy(np.array(background.crop(box))).permute(2, 0, 1)
        mixed = torch.lerp(behind.float(), colors * 255, opacity(top, rows, width) * (inside > 0))
        background.paste(to_pil(mixed), box)
    return background


def to_pil(values: Tensor) -> PIL.Image.Image:
    """Convert (3, h, w) values from 0 to 255 to an RGB image."""
    return PIL.Image.fromarray(values.round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy())


def _opacity_of_image0(
    mode: str, alpha: float, tiles: int, size: tuple[int, int]
) -> Callable[[int, int, int], Tensor]:
    """Return a function (first row, rows, width) -> opacity of image 0 at each pixel."""
    if mode not in get_args(OverlayMode):
        raise InvalidInput(f"mode: expected {' or '.join(map(repr, get_args(OverlayMode)))}, got {mode!r}")
    if not 0 <= alpha <= 1:
        raise InvalidInput(f"alpha: expected a number from 0 to 1, got {alpha!r}")
    if tiles < 1:
        raise InvalidInput(f"tiles: expected an integer of at least 1, got {tiles!r}")
    if mode == "blend":
        return lambda top, rows, width: torch.full((rows, width), alpha, dtype=torch.float32, device="cpu")
    side = -(-max(size) // tiles)
    return lambda top, rows, width: _squares(top, rows, width, side)


def _squares(top: int, rows: int, width: int, side: int) -> Tensor:
    """Checkerboard of ones and zeros, with one in the top left corner."""
    y, x = (torch.arange(*span, dtype=torch.int64, device="cpu") for span in ((top, top + rows), (width,)))
    return 1 - ((y[:, None] // side + x // side) % 2).to(torch.float32)
