"""Orientation of a panorama: its horizon is leveled (wave correction), and it is centered on the images."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from tiepoint.stitching.vertical import find_vertical
from tiepoint.stitching.views import RotatedView, bounds, grid_points

MAX_PLANE_ANGLE_DEG = 50.0  # from the center; planes stretch more beyond
MAX_CYLINDER_PITCH_DEG = 55.0
MIN_GAP_DEG = 0.1  # of yaw; smaller ones are none

Rotation = Float[np.ndarray, "3 3"]


def level(views: Sequence[RotatedView]) -> list[RotatedView]:
    """Rotate a panorama so that its horizon is straight, and center it on the images.

    The vertical is the direction most perpendicular to the x axes of all cameras: people rarely tilt a camera sideways.
    Images that are rotated by about 90 or 180 degrees in their plane, relative to most others or else to the first one,
    are corrected before.

    Args:
        views: Views in any common frame.

    Source: Brown and Lowe, Automatic panoramic image stitching using invariant features, IJCV 74 (2007), section 5.
    """
    views = _rotated(views, _upright(views))
    return _rotated(views, _yaw(-_center_yaw(views)))


def choose_projection(views: Sequence[RotatedView]) -> str:
    """Return the projection for the field of view of leveled views: "plane", "cylinder" or "sphere"."""
    points = np.concatenate([_rays(view) for view in pitched(views)])
    if (points[:, 2] > math.cos(math.radians(MAX_PLANE_ANGLE_DEG))).all():
        return "plane"
    pitch = np.abs(np.concatenate([_pitch(_rays(view)) for view in views]))
    return "cylinder" if pitch.max() <= math.radians(MAX_CYLINDER_PITCH_DEG) else "sphere"


def on_surface(views: Sequence[RotatedView], projection: str) -> list[RotatedView]:
    """Return leveled views on a surface; a plane is perpendicular to their mean direction.

    Args:
        views: Leveled views.
        projection: "plane", "cylinder" or "sphere".
    """
    placed = pitched(views) if projection == "plane" else views
    return [replace(view, projection=projection) for view in placed]


def pitched(views: Sequence[RotatedView]) -> list[RotatedView]:
    """Rotate leveled views up or down so that their middle is in front."""
    pitch = np.concatenate([_pitch(_rays(view)) for view in views])
    return _rotated(views, _up(float(pitch.min() + pitch.max()) / 2))


def field_of_view_deg(views: Sequence[RotatedView]) -> tuple[float, float]:
    """Return the horizontal and vertical field of view of leveled views in degrees."""
    pitch = np.concatenate([_pitch(_rays(view)) for view in views])
    _, length = _largest_gap(views)
    return 360.0 - math.degrees(length), math.degrees(float(pitch.max() - pitch.min()))


def _upright(views: Sequence[RotatedView]) -> Rotation:
    rotations = np.stack([view.world_from_cam for view in views])
    down, z_axes = find_vertical(rotations), rotations[:, :, 2]
    forward = z_axes.mean(axis=0)
    forward -= down * (down @ forward)
    if np.linalg.norm(forward) < 1e-6:  # a full circle has no mean direction
        forward = z_axes[0] - down * (down @ z_axes[0])
    forward /= np.linalg.norm(forward)
    return np.stack([np.cross(down, forward), down, forward])


def _center_yaw(views: Sequence[RotatedView]) -> float:
    """Yaw of the middle of the images: opposite to the middle of the largest gap between them."""
    start, length = _largest_gap(views)
    return start + length / 2 + math.pi if length else 0.0


def _largest_gap(views: Sequence[RotatedView]) -> tuple[float, float]:
    """Start and length in rad of the largest range of yaw that no image shows; length 0 if they show the full circle."""
    circle = 2 * math.pi
    boxes = [bounds(replace(view, projection="sphere")) for view in views]
    spans = sorted(
        (float(box[0, 0]) % circle, float(box[1, 0] - box[0, 0])) for box in boxes if box is not None
    )
    reached = max(start + length for start, length in spans) - circle
    gap = (0.0, 0.0)
    for start, length in spans:
        gap = max(gap, (reached, start - reached), key=lambda each: each[1])
        reached = max(reached, start + length)
    return gap if gap[1] > math.radians(MIN_GAP_DEG) else (gap[0], 0.0)


def _rays(view: RotatedView) -> Float[np.ndarray, "k 3"]:
    """Unit vectors to the points of an image."""
    rays = view.to_rays(grid_points(view.image_size))
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def _pitch(rays: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "k"]:
    """Angles below the horizon in rad."""
    return np.arcsin(np.clip(rays[:, 1], -1, 1))


def _rotated(views: Sequence[RotatedView], rotation: Rotation) -> list[RotatedView]:
    return [replace(view, world_from_cam=rotation @ view.world_from_cam) for view in views]


def _yaw(angle: float) -> Rotation:
    """Rotation to the right."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _up(angle: float) -> Rotation:
    """Rotation that moves what is at this angle below the horizon to the horizon."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
