"""Random homographies that crop warps from an image.

A warp is a rectangle of px. Its four corners are placed inside the image, so every pixel is defined: there are no black
borders that a network could learn to recognize.

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
"""Maximum inward shift of a corner at difficulty 1, as a fraction of the side; below 1/3 the quadrangle stays convex."""

MAX_SHRINKAGE = 0.25
"""Maximum reduction of the sides at difficulty 1, as a fraction."""

UPRIGHT_DEG = 35.0
"""Maximum rotation of an upright warp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomographyConfig:
    """Distribution of random homographies.

    Attributes:
        difficulty: Strength of perspective and scale change, in [0, 1]; 0 disables both.
        translation: Fraction of the available space by which a warp may be translated, in [0, 1].
        max_angle_deg: Maximum in-plane rotation in both directions; 180 allows any.
        upright: Fraction of warps rotated by at most `UPRIGHT_DEG`, so that a network that learns any rotation still
            fits upright images, which are the most frequent.

    Raises:
        InvalidInput: If a value is out of range.
    """

    difficulty: float = 0.7
    translation: float = 0.7
    max_angle_deg: float = 45.0
    upright: float = 0.0

    def __post_init__(self) -> None:
        ranges = {"difficulty": 1.0, "translation": 1.0, "max_angle_deg": 180.0, "upright": 1.0}
        for name, maximum in ranges.items():
            if not 0 <= getattr(self, name) <= maximum:
                raise InvalidInput(f"{name} must be in [0, {maximum:g}], got {getattr(self, name)!r}")


def random_homography(
    generator: np.random.Generator,
    image_size: tuple[int, int],
    warp_size: tuple[int, int],
    config: HomographyConfig,
) -> Float[np.ndarray, "3 3"]:
    """Draw a homography that crops a warp from an image.

    Args:
        generator: Random number generator.
        image_size: Size (width, height) of the image in px.
        warp_size: Size (width, height) of the warp in px.
        config: Distribution of the homographies.

    Returns:
        Homography image_from_warp, in px; the warp lies completely inside the image.
    """
    corners = _move_corners(generator, _largest_fit(warp_size, image_size), config.difficulty)
    rotated = _rotate(corners, math.radians(generator.uniform(-1, 1) * _max_angle_deg(generator, config)))
    placed = _translate(generator, rotated, np.array(image_size, np.float64), config.translation)
    # the outer edges of border pixels are half a pixel outside their centers
    homography = weighted_dlt(_rectangle(warp_size) - 0.5, placed - 0.5, np.ones(4))
    assert homography is not None  # the corners are convex
    return homography / homography[2, 2]


def mean_scale(homography: Float[np.ndarray, "3 3"], warp_size: tuple[int, int]) -> float:
    """Return the mean number of image px per warp px, along one axis."""
    corners = warp_points(_rectangle(warp_size) - 0.5, homography)
    x, y = corners.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    return math.sqrt(area / (warp_size[0] * warp_size[1]))


def _max_angle_deg(generator: np.random.Generator, config: HomographyConfig) -> float:
    """Draw the maximum rotation of the next warp."""
    is_upright = config.upright > 0 and generator.random() < config.upright
    return min(UPRIGHT_DEG, config.max_angle_deg) if is_upright else config.max_angle_deg


def _rectangle(size: tuple[int, int]) -> Float[np.ndarray, "4 2"]:
    """Return the corners of a rectangle, clockwise from the top left."""
    width, height = size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def _largest_fit(size: tuple[int, int], bounds: tuple[int, int]) -> Float[np.ndarray, "4 2"]:
    scale = min(bounds[0] / size[0], bounds[1] / size[1])
    return _rectangle(size) * scale


def _move_corners(
    generator: np.random.Generator, corners: Float[np.ndarray, "4 2"], difficulty: float
) -> Float[np.ndarray, "4 2"]:
    """Shrink the rectangle, and shift each corner inward independently."""
    center, sides = corners.mean(0), corners.max(0)
    shifts = generator.uniform(0, MAX_CORNER_SHIFT * difficulty, (4, 2)) * sides
    scale = 1 - generator.uniform(0, MAX_SHRINKAGE * difficulty)
    return (corners + shifts * np.sign(center - corners)) * scale


def _rotate(corners: Float[np.ndarray, "4 2"], angle: float) -> Float[np.ndarray, "4 2"]:
    cosine, sine = math.cos(angle), math.sin(angle)
    return corners @ np.array([[cosine, sine], [-sine, cosine]])


def _translate(
    generator: np.random.Generator,
    corners: Float[np.ndarray, "4 2"],
    bounds: Float[np.ndarray, "2"],
    translation: float,
) -> Float[np.ndarray, "4 2"]:
    """Shrink the corners to fit the bounds, and translate them randomly inside."""
    corners = corners - corners.min(0)
    corners = corners * min(1.0, (bounds / corners.max(0)).min())
    free = bounds - corners.max(0)
    return corners + free * (0.5 + translation * generator.uniform(-0.5, 0.5, 2))
