"""Input of the geometry backends: a plane and a rigid scene seen by two cameras, with outliers."""

import math

import numpy as np

from tiepoint.geometry.backends.base import Problem
from tiepoint.geometry.multiview import warp_points
from tiepoint.types import Camera

K = np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]])
POSE = np.array(
    [[math.cos(0.2), 0, math.sin(0.2), 1.0], [0, 1, 0, 0.2], [-math.sin(0.2), 0, math.cos(0.2), 0.1]]
)
H = np.array([[1.1, 0.1, 5], [-0.05, 0.9, 7], [1e-4, 2e-4, 1]])


CAMERA = Camera.from_intrinsics(K, (640, 480))


def problem(
    points0: np.ndarray,
    points1: np.ndarray,
    max_error_px: float = 0.5,
    cameras: tuple[Camera, Camera] = (CAMERA, CAMERA),
) -> Problem:
    return Problem(
        points0=points0,
        points1=points1,
        weights=np.ones(len(points0)),
        max_error_px=max_error_px,
        seed=0,
        cameras=cameras,
    )


def with_outliers(points1: np.ndarray) -> np.ndarray:
    """Replace a third of the points by outliers."""
    changed = points1.copy()
    changed[::3] = np.random.default_rng(5).uniform(0, 480, changed[::3].shape)
    return changed


def planar_points(count: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Points of both images on a plane with homography H."""
    points0 = np.random.default_rng(1).uniform(0, 480, (count, 2))
    return points0, warp_points(points0, H)


def rigid_points(count: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Projections of random 3D points into two cameras with relative pose POSE."""
    space = np.random.default_rng(2).uniform((-2, -2, 4), (2, 2, 9), (count, 3))
    image0, image1 = space @ K.T, (space @ POSE[:, :3].T + POSE[:, 3]) @ K.T
    return image0[:, :2] / image0[:, 2:], image1[:, :2] / image1[:, 2:]
