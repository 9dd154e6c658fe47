"""Vertical of a panorama, from cameras of which some may be rotated by multiples of 90 degrees in their image planes.

The x axes of level cameras are horizontal, so the vertical is the direction most perpendicular to them. The x axis of a
camera that is rotated by 90 degrees is the vertical itself, so such rotations are found first: those of the majority
count as upright, those of the first image if there is none.
"""

import numpy as np
from jaxtyping import Float, Int

PRIOR_WEIGHT = 0.05  # of the cameras' own vertical, which decides where their x axes are parallel
MAX_CANDIDATES = 32  # cameras whose axes are tried as the vertical
ROUNDS = 3  # of assigning rotations to a vertical, and estimating the vertical from them
MIN_IN_PLANE = 0.2  # length of the vertical in the image plane from which on it determines a rotation

# Costs, in units of the mean squared sine of the angles between x axes and the horizon
MINORITY_COST = 0.06  # of cameras that are not rotated like the others, or look to zenith or nadir
ROTATED_COST = 0.01  # of a majority that is rotated
FIRST_COST = 0.005  # of a first camera that is rotated; it decides without a majority

Vector = Float[np.ndarray, "3"]
Vectors = Float[np.ndarray, "n 3"]
Rotations = Float[np.ndarray, "n 3 3"]


def find_vertical(rotations: Rotations) -> Vector:
    """Return the direction down in the common frame of cameras, as a unit vector.

    Args:
        rotations: Rotation matrices world_from_cam, shape (n, 3, 3).
    """
    chosen = rotations[:: -(-len(rotations) // MAX_CANDIDATES)]
    x_axes, y_axes = chosen[:, :, 0], chosen[:, :, 1]
    upright = _most_perpendicular(rotations[:, :, 0], rotations[:, :, 1])
    found = [_refined(rotations, start) for start in (upright, *y_axes, *x_axes, *-x_axes)]
    return min(found, key=lambda each: each[0])[1]


def _refined(rotations: Rotations, down: Vector) -> tuple[float, Vector]:
    """Cost and direction of a vertical that is adjusted to the in-plane rotations that it implies."""
    for _ in range(ROUNDS):
        down = _most_perpendicular(*_upright_axes(rotations, _in_plane_rotations(rotations, down)))
    return _cost(rotations, down), down


def _in_plane_rotations(rotations: Rotations, down: Vector) -> Int[np.ndarray, "n"]:
    """Multiples of 90 degrees, 0 to 3, between the y axis of each camera and the vertical in its image plane."""
    in_camera = down @ rotations  # (n, 3)
    return np.rint(np.arctan2(in_camera[:, 0], in_camera[:, 1]) / (np.pi / 2)).astype(np.int64) % 4


def _upright_axes(rotations: Rotations, in_plane: Int[np.ndarray, "n"]) -> tuple[Vectors, Vectors]:
    """Axes x and y of the cameras after their in-plane rotations are undone."""
    x, y = rotations[:, :, 0], rotations[:, :, 1]
    cosine = np.array([1, 0, -1, 0])[in_plane, None]
    sine = np.array([0, 1, 0, -1])[in_plane, None]
    return cosine * x - sine * y, sine * x + cosine * y


def _most_perpendicular(x_axes: Vectors, y_axes: Vectors) -> Vector:
    """Direction most perpendicular to the x axes, close to the y axes where the x axes leave it open."""
    mean_down = y_axes.mean(axis=0)
    mean_down = mean_down / max(float(np.linalg.norm(mean_down)), 1e-9)
    moment = x_axes.T @ x_axes + PRIOR_WEIGHT * len(x_axes) * (np.eye(3) - np.outer(mean_down, mean_down))
    down = np.linalg.eigh(moment)[1][:, 0]
    return down if down @ mean_down >= 0 else -down


def _cost(rotations: Rotations, down: Vector) -> float:
    in_plane = _in_plane_rotations(rotations, down)
    x_axes, _ = _upright_axes(rotations, in_plane)
    is_known = np.linalg.norm((down @ rotations)[:, :2], axis=1) >= MIN_IN_PLANE
    counts = np.bincount(in_plane[is_known], minlength=4)
    minority = MINORITY_COST * (len(rotations) - counts) / len(rotations) + ROTATED_COST * (np.arange(4) > 0)
    first = FIRST_COST * float(is_known[0] and in_plane[0] != 0)
    return float(np.mean((x_axes @ down) ** 2) + minority.min()) + first
