"""Random homographies: where in a photograph a view of it is cut out.

A view is a rectangle of px. Its four corners are put somewhere in the photograph, so every pixel of it shows something:
no black triangles that tell a network what was done.

Source of the idea and of the ranges: SuperPoint (arXiv 1712.07629), section 5.2; LightGlue (arXiv 2306.13643), appendix B.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.geometry.backends.dlt import weighted_dlt
from tiepoint.geometry.multiview import warp_points

MAX_CORNER_SHIFT = 0.3
"""Share of its side by which a corner moves inwards at difficulty 1; below 1/3 the four always stay convex."""

MAX_SHRINKING = 0.25
"""Share of its sides that a view loses at difficulty 1."""


UPRIGHT_DEG = 35.0
"""An upright view is turned by at most this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarpSettings:
    """How far a view may be from the photograph as it is.

    Attributes:
        difficulty: of perspective and change of scale, in [0, 1]; 0 = none.
        translation: share of the room beside the view that it may be moved by, in [0, 1].
        max_angle_deg: it is turned by at most this, both ways; 180 = any.
        upright: share of the views that are turned by at most `UPRIGHT_DEG`, so that a network which learns any turn
            doesn't forget what most photographs are like.

    Raises:
        InvalidInput: a value outside its range.
    """

    difficulty: float = 0.7
    translation: float = 0.7
    max_angle_deg: float = 45.0
    upright: float = 0.0

    def __post_init__(self) -> None:
        ranges = {"difficulty": 1.0, "translation": 1.0, "max_angle_deg": 180.0, "upright": 1.0}
        for name, limit in ranges.items():
            if not 0 <= getattr(self, name) <= limit:
                raise InvalidInput(f"{name} must lie in [0, {limit:g}], but is {getattr(self, name)!r}")


def random_homography(
    generator: np.random.Generator,
    photograph_size: tuple[int, int],
    view_size: tuple[int, int],
    settings: WarpSettings,
) -> Float[np.ndarray, "3 3"]:
    """Draw where a view lies in a photograph.

    Args:
        generator: decides everything.
        photograph_size: (width, height) in px.
        view_size: (width, height) in px of the view.
        settings: see `WarpSettings`.

    Returns:
        photograph_from_view, from px to px; the whole view lies in the photograph.
    """
    corners = _move_corners(generator, _largest_fit(view_size, photograph_size), settings.difficulty)
    turned = _turn(corners, math.radians(generator.uniform(-1, 1) * _max_angle_deg(generator, settings)))
    placed = _place(generator, turned, np.array(photograph_size, np.float64), settings.translation)
    # the outer edges of the pixels at the border lie half a pixel beyond their centers
    homography = weighted_dlt(_rectangle(view_size) - 0.5, placed - 0.5, np.ones(4))
    assert homography is not None  # the corners are convex
    return homography / homography[2, 2]


def magnification(homography: Float[np.ndarray, "3 3"], view_size: tuple[int, int]) -> float:
    """How many px of the photograph one px of the view is wide, on average."""
    corners = warp_points(_rectangle(view_size) - 0.5, homography)
    x, y = corners.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    return math.sqrt(area / (view_size[0] * view_size[1]))


def _max_angle_deg(generator: np.random.Generator, settings: WarpSettings) -> float:
    """Of the next view."""
    is_upright = settings.upright > 0 and generator.random() < settings.upright
    return min(UPRIGHT_DEG, settings.max_angle_deg) if is_upright else settings.max_angle_deg


def _rectangle(size: tuple[int, int]) -> Float[np.ndarray, "4 2"]:
    """Corners from the top left one on, clockwise as one sees them."""
    width, height = size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def _largest_fit(size: tuple[int, int], room: tuple[int, int]) -> Float[np.ndarray, "4 2"]:
    scale = min(room[0] / size[0], room[1] / size[1])
    return _rectangle(size) * scale


def _move_corners(
    generator: np.random.Generator, corners: Float[np.ndarray, "4 2"], difficulty: float
) -> Float[np.ndarray, "4 2"]:
    """Shrink the rectangle, and move each corner inwards by itself."""
    center, sides = corners.mean(0), corners.max(0)
    shifts = generator.uniform(0, MAX_CORNER_SHIFT * difficulty, (4, 2)) * sides
    scale = 1 - generator.uniform(0, MAX_SHRINKING * difficulty)
    return (corners + shifts * np.sign(center - corners)) * scale


def _turn(corners: Float[np.ndarray, "4 2"], angle: float) -> Float[np.ndarray, "4 2"]:
    cosine, sine = math.cos(angle), math.sin(angle)
    return corners @ np.array([[cosine, sine], [-sine, cosine]])


def _place(
    generator: np.random.Generator,
    corners: Float[np.ndarray, "4 2"],
    room: Float[np.ndarray, "2"],
    translation: float,
) -> Float[np.ndarray, "4 2"]:
    """Shrink the corners until they fit into the room, and put them somewhere in it."""
    corners = corners - corners.min(0)
    corners = corners * min(1.0, (room / corners.max(0)).min())
    free = room - corners.max(0)
    return corners + free * (0.5 + translation * generator.uniform(-0.5, 0.5, 2))
