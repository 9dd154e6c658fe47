"""The vertical, from cameras that are rotated in their planes."""

import numpy as np
import pytest
from benchmarks.panorama.scenes import rotation

from tiepoint.stitching.vertical import find_vertical

FRAME = rotation(70, 25, 40)

Angles = tuple[float, float, float]


def down_in(angles: list[Angles]) -> np.ndarray:
    """Vertical in the frame in which yaw, pitch and roll of the cameras are given."""
    return FRAME.T @ find_vertical(np.stack([FRAME @ rotation(*each) for each in angles]))


@pytest.mark.parametrize(
    "angles",
    [
        [(-25, 0, 0), (0, 0, 90), (25, 0, 0)],
        [(-25, 0, 0), (0, 0, -90), (25, 0, 180), (50, 0, 0), (75, 0, 0)],
        [(-25, 0, 90), (0, 0, 0), (25, 0, 0)],  # the first one is rotated
        [(0, 0, 0), (25, 0, 180)],
        [(0, 0, 0), (25, 0, 90)],
        [(0, 15, 0), (25, 15, 0), (50, 15, 270), (12, -20, 90), (37, -20, 0)],  # rows
        [(yaw, 40, 90 if yaw == 120 else 0) for yaw in range(0, 360, 40)],  # a circle, upwards
        [*((yaw, 0, 180 if yaw == 90 else 0) for yaw in range(0, 360, 45)), (10, 90, 30)],  # with a zenith
        [(yaw, 75, 0) for yaw in range(0, 360, 45)],
    ],
    ids=str,
)
def test_images_rotated_by_right_angles(angles: list[Angles]) -> None:
    assert down_in(angles)[1] > np.cos(
        np.radians(1)
    )  # rows, zenith: the mean of the y axes has a small weight


def test_a_hand_held_camera() -> None:
    rng = np.random.default_rng(0)
    rolls = rng.normal(0, 3, 12) + np.array([0, 0, 90, 0, 180, 0, 0, -90, 0, 0, 90, 0])
    angles = [
        (25.0 * k, float(pitch), float(roll))
        for k, (pitch, roll) in enumerate(zip(rng.normal(0, 4, 12), rolls, strict=True))
    ]
    assert down_in(angles)[1] > np.cos(np.radians(3))


def test_images_that_are_all_rotated_stay_so() -> None:
    x_axis = rotation(20, 0, 90) @ (0, 1, 0)
    assert down_in([(0, 0, 90), (20, 0, 90), (40, 0, 90)]) @ x_axis > 0.99


def test_the_first_image_decides_without_a_majority() -> None:
    angles: list[Angles] = [(0, 0, 90), (25, 0, 0)]
    first = rotation(*angles[0])
    assert abs(down_in(angles) @ first[:, 0]) < 1e-6
    assert down_in(angles) @ first[:, 1] > 0.9
    assert down_in([(0, 0, 180), (25, 0, 0)])[1] < -0.99
