"""Cameras of rotated images."""

import numpy as np
import pytest
from tests.helpers.posed_pairs import K0, SIZE, WORLD, rotate_points

from tiepoint.evaluation.datasets.rotation import rotate_camera
from tiepoint.types import Camera


@pytest.mark.parametrize("distortion", [None, (0.1, -0.02, 0.003, -0.004)], ids=["pinhole", "lens"])
def test_four_rotations_are_the_identity(distortion: tuple[float, ...] | None) -> None:
    camera = Camera.from_intrinsics(K0, SIZE, distortion=distortion)
    back = rotate_camera(camera, 4)
    assert back.image_size == SIZE
    np.testing.assert_allclose(back.intrinsics, K0)
    np.testing.assert_allclose(back.distortion, camera.distortion)


def test_distortion_is_rotated_with_the_image() -> None:
    camera = Camera.from_intrinsics(K0, SIZE, distortion=(0.1, -0.02, 0.003, -0.004))
    rays = WORLD[:, :2] / WORLD[:, 2:]
    turned_rays = np.column_stack([rays[:, 1], -rays[:, 0]])
    expected = rotate_points(_distort(camera, rays), SIZE, 1)
    np.testing.assert_allclose(_distort(rotate_camera(camera, 1), turned_rays), expected, atol=1e-9)


def _distort(camera: Camera, rays: np.ndarray) -> np.ndarray:
    """OpenCV's distortion model."""
    k1, k2, p1, p2 = camera.distortion
    x, y = rays.T
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2 * r2
    distorted = np.column_stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ]
    )
    return distorted * camera.focal_lengths + camera.principal_point
