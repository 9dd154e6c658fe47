"""Alignment of patches: known shifts, warps, brightness; flat patches do not converge."""

import numpy as np
import pytest

from tiepoint.geometry.patch_alignment import align_patches


def texture(points: np.ndarray) -> np.ndarray:
    """A smooth function of the plane."""
    x, y = points[..., 0], points[..., 1]
    return (np.sin(x / 3.1) * np.cos(y / 2.7) + 0.5 * np.sin((x + 2 * y) / 5.3)).astype(np.float32)


def grid(size: int = 120) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).astype(float)


POINTS = np.array([[40.2, 50.7], [60.0, 60.0], [75.4, 33.9]])


@pytest.mark.parametrize("angle", [0.0, 0.4])
def test_shift_warp_and_brightness(angle: float) -> None:
    c, s = 1.1 * np.cos(angle), 1.1 * np.sin(angle)
    A, center = np.array([[c, -s], [s, c]]), np.array([60.0, 60.0])
    image0 = texture(grid())
    image1 = 3 * texture((grid() - center - (1.3, -0.8)) @ np.linalg.inv(A).T + center) + 7
    true = (POINTS - center) @ A.T + center + (1.3, -0.8)
    start = true + np.array([(0.9, -0.7), (-1.2, 0.5), (0.3, 1.1)])
    found = align_patches(image0, image1, POINTS, start, np.broadcast_to(A, (3, 2, 2)), radius=6)
    assert found.converged.all()
    assert (found.correlation > 0.99).all()
    np.testing.assert_allclose(found.points, true, atol=0.05)


def test_patches_without_texture_or_outside_do_not_converge() -> None:
    image = texture(grid())
    flat = np.full_like(image, 3.0)
    warps = np.broadcast_to(np.eye(2), (3, 2, 2))
    assert not align_patches(flat, flat, POINTS, POINTS, warps, radius=5).converged.any()
    edge = np.array([[2.0, 60.0], [60.0, 118.0], [60.0, 60.0]])
    assert align_patches(image, image, edge, edge, warps, radius=5).converged.tolist() == [False, False, True]
    noise = np.random.default_rng(0).normal(size=image.shape).astype(np.float32)
    assert (align_patches(image, noise, POINTS, POINTS, warps, radius=5).correlation < 0.7).all()
