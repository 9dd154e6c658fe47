"""Matches that do not determine a model: a rotation, a plane, a line; with noise and outliers."""

import numpy as np
from tests.helpers.synthetic_scenes import HOMOGRAPHY, K0, K1, POSE, SIZE0, SIZE1, project, rotation

from tiepoint.geometry.multiview import warp_points

Points = tuple[np.ndarray, np.ndarray]

ROTATION = K1 @ rotation(10.0, (0.1, 1.0, 0.2)) @ np.linalg.inv(K0)


def homography_points(
    homography: np.ndarray = HOMOGRAPHY,
    *,
    count: int = 200,
    noise_px: float = 0.0,
    outliers: int = 0,
    seed: int = 0,
) -> Points:
    """Matches of a plane or a rotation."""
    rng = np.random.default_rng(seed)
    points0 = rng.uniform((0, 0), SIZE0, (count, 2))
    return degrade(
        (points0, warp_points(points0, homography)), noise_px=noise_px, outliers=outliers, seed=seed
    )


def line_points(count: int, off_line: int = 0, *, distance_px: float = 200.0, seed: int = 0) -> Points:
    """Exact matches of `HOMOGRAPHY` on a line of 940 px, and others at a distance from it."""
    rng = np.random.default_rng(seed)
    along = np.sort(rng.uniform(0, 1, count + off_line))
    points0 = np.array([100.0, 50.0]) + along[:, None] * [800.0, 500.0]
    points0[count:] += distance_px * rng.choice([-1, 1], (off_line, 1)) * [-0.53, 0.85]
    return points0, warp_points(points0, HOMOGRAPHY)


def world_points(*, line: int = 0, plane: int = 0, space: int = 0, seed: int = 0) -> Points:
    """Exact projections of points on a 3D line, on a plane, and in space into two cameras with relative pose POSE."""
    rng = np.random.default_rng(seed)
    along, on_plane = rng.uniform(0, 1, (line, 1)), rng.uniform(-2, 2, (plane, 2))
    world = np.vstack(
        [
            np.array([-2.0, -1.0, 4.0]) + along * [4.0, 2.0, 3.0],
            np.column_stack([on_plane, 6 + on_plane @ [0.3, 0.2]]),
            np.column_stack([rng.uniform(-2, 2, (space, 2)), rng.uniform(4, 9, space)]),
        ]
    )
    return project(world, K0), project(world @ POSE[:, :3].T + POSE[:, 3], K1)


def degrade(points: Points, *, noise_px: float = 0.0, outliers: int = 0, seed: int = 0) -> Points:
    """Add noise to all points, and append outliers."""
    rng = np.random.default_rng(seed + 1000)
    noisy0, noisy1 = (side + rng.normal(0, noise_px, side.shape) for side in points)
    return (
        np.vstack([noisy0, rng.uniform((0, 0), SIZE0, (outliers, 2))]),
        np.vstack([noisy1, rng.uniform((0, 0), SIZE1, (outliers, 2))]),
    )
