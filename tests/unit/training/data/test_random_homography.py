"""Random homographies stay inside the image, follow their configuration, and depend on the generator only."""

import math

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.geometry.multiview import warp_points
from tiepoint.training.data.random_homography import (
    UPRIGHT_DEG,
    HomographyConfig,
    mean_scale,
    random_homography,
)

SIZES = [
    ((640, 480), (512, 384)),
    ((300, 900), (171, 512)),
    ((512, 512), (512, 512)),
    ((900, 300), (200, 200)),
]


def corners_of(warp_size: tuple[int, int]) -> np.ndarray:
    """Outer corners of the border pixels."""
    width, height = warp_size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64) - 0.5


def draw(seed: int, *, sizes: tuple = SIZES[0], **settings: float) -> np.ndarray:
    return random_homography(np.random.default_rng(seed), *sizes, HomographyConfig(**settings))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("angle", [0.0, 45.0, 180.0])
def test_warp_is_inside_the_image(sizes: tuple, angle: float):
    for seed in range(40):
        H = draw(seed, sizes=sizes, difficulty=1.0, translation=1.0, max_angle_deg=angle)
        corners = warp_points(corners_of(sizes[1]), H)
        assert (corners > -0.5 - 1e-6).all()
        assert (corners < np.array(sizes[0]) - 0.5 + 1e-6).all()


def test_warps_are_convex_and_not_mirrored():
    for seed in range(100):
        corners = warp_points(corners_of((512, 384)), draw(seed, difficulty=1.0, max_angle_deg=180.0))
        edges = np.roll(corners, -1, axis=0) - corners
        following = np.roll(edges, -1, axis=0)
        assert (edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0] > 0).all()


def test_no_difficulty_no_angle_no_translation_is_a_resize():
    H = draw(5, difficulty=0.0, translation=0.0, max_angle_deg=0.0)
    scale = 640 / 512
    np.testing.assert_allclose(H, [[scale, 0, 0.125], [0, scale, 0.125], [0, 0, 1]], atol=1e-9)
    assert mean_scale(H, (512, 384)) == pytest.approx(scale)


def test_angles_cover_the_range():
    def angle(H: np.ndarray) -> float:
        (x, y) = np.diff(warp_points(np.array([[0.0, 0.0], [10.0, 0.0]]), H), axis=0)[0]
        return math.degrees(math.atan2(y, x))

    angles = [angle(draw(seed, difficulty=0.0, max_angle_deg=30.0)) for seed in range(200)]
    assert -30 <= min(angles) < -25
    assert 25 < max(angles) <= 30
    assert abs(np.mean(angles)) < 5


def test_perspective_increases_with_difficulty():
    def perspective(difficulty: float) -> float:
        return float(np.mean([np.abs(draw(seed, difficulty=difficulty)[2, :2]).max() for seed in range(50)]))

    assert perspective(0.0) < 1e-9 < perspective(0.3) < perspective(0.9)


def test_depends_on_the_generator_only():
    np.testing.assert_array_equal(draw(3), draw(3))
    assert np.abs(draw(3) - draw(4)).max() > 1


@pytest.mark.parametrize(
    ("name", "value"), [("difficulty", 1.1), ("translation", -0.1), ("max_angle_deg", 200.0)]
)
def test_out_of_range_values_are_refused(name: str, value: float):
    with pytest.raises(InvalidInput, match=f"{name}.*{value}"):
        HomographyConfig(**{name: value})


@pytest.mark.slow
def test_fraction_of_upright_warps():
    def angle(H: np.ndarray) -> float:
        (x, y) = np.diff(warp_points(np.array([[0.0, 0.0], [10.0, 0.0]]), H), axis=0)[0]
        return abs(math.degrees(math.atan2(y, x)))

    def upright(fraction: float) -> int:
        warps = [draw(seed, difficulty=0.0, max_angle_deg=180.0, upright=fraction) for seed in range(200)]
        return sum(angle(warp) <= UPRIGHT_DEG for warp in warps)

    assert upright(1.0) == 200
    assert 90 < upright(0.5) < 150  # 0.5 + 0.5 * 35 / 180
    assert upright(0.0) < 70
