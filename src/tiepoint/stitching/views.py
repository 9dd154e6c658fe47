"""Views: how the pixels of an image map to the surface of a panorama, and back.

Rays (x, y, z) are right, down, forward. A plane is at z = 1; cylinder and sphere have radius 1 about the y axis, with yaw
(right) as first coordinate, and height or pitch (down) as second one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

Points: TypeAlias = Float[np.ndarray, "*k 2"]
Rays: TypeAlias = Float[np.ndarray, "*k 3"]

MIN_DEPTH = 1e-6  # z of rays in front of a camera
GRID = 65  # points per axis that represent an image


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanarView:
    """A view of a plane.

    Attributes:
        image_size: Size (width, height) in px.
        surface_from_image: Homography from px to the plane, positive (w > 0) in front of the camera.
    """

    image_size: tuple[int, int]
    surface_from_image: Float[np.ndarray, "3 3"]

    def to_surface(self, points: Points) -> Points:
        """Map px to the plane; NaN beyond the horizon."""
        return _project(points, self.surface_from_image)

    def to_image(self, points: Points) -> Points:
        """Map points of the plane to px; NaN beyond the horizon."""
        return _project(points, np.linalg.inv(self.surface_from_image))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RotatedView:
    """A view of a camera that rotates about its center.

    Attributes:
        image_size: Size (width, height) in px.
        focal_px: Focal length in px; the principal point is the image center.
        world_from_cam: Rotation matrix from camera to panorama.
        projection: "plane", "cylinder" or "sphere".
    """

    image_size: tuple[int, int]
    focal_px: float
    world_from_cam: Float[np.ndarray, "3 3"]
    projection: str = "sphere"

    @property
    def _intrinsics(self) -> Float[np.ndarray, "3 3"]:
        """Intrinsics matrix K in px."""
        width, height = self.image_size
        return np.array(
            [[self.focal_px, 0, (width - 1) / 2], [0, self.focal_px, (height - 1) / 2], [0, 0, 1.0]]
        )

    def to_rays(self, points: Points) -> Rays:
        """Return the rays of px, in the frame of the panorama."""
        return _homogeneous(points) @ (self.world_from_cam @ np.linalg.inv(self._intrinsics)).T

    def to_surface(self, points: Points) -> Points:
        """Map px to the surface; NaN for rays that miss a plane."""
        return TO_SURFACE[self.projection](self.to_rays(points))

    def to_image(self, points: Points) -> Points:
        """Map points of the surface to px; NaN behind the camera."""
        rays = TO_RAYS[self.projection](points)
        return _divided(rays @ (self._intrinsics @ self.world_from_cam.T).T)


View: TypeAlias = PlanarView | RotatedView
"""An image on the surface of a panorama."""


def grid_points(image_size: tuple[int, int], count: int = GRID) -> Float[np.ndarray, "k 2"]:
    """Return points of an image on a grid, from border to border."""
    width, height = image_size
    x, y = np.meshgrid(np.linspace(-0.5, width - 0.5, count), np.linspace(-0.5, height - 0.5, count))
    return np.stack([x.ravel(), y.ravel()], axis=1)


def bounds(view: View) -> Float[np.ndarray, "2 2"] | None:
    """Return the bounding box ((left, top), (right, bottom)) of a view on its surface; None if it crosses the horizon.

    On a cylinder or sphere the yaw is continuous from the image center, so that it exceeds pi or -pi across the back. A
    view over a pole spans the full circle, from -pi to pi.
    """
    points = view.to_surface(grid_points(view.image_size))
    if not np.isfinite(points).all():
        return None
    if is_curved(view):
        width, height = view.image_size
        yaw = float(view.to_surface(np.array([[(width - 1) / 2, (height - 1) / 2]]))[0, 0])
        points[:, 0] = yaw + np.remainder(points[:, 0] - yaw + math.pi, 2 * math.pi) - math.pi
    box = np.stack([points.min(axis=0), points.max(axis=0)])
    if isinstance(view, RotatedView) and view.projection == "sphere":
        for side, pole in enumerate((-math.pi / 2, math.pi / 2)):
            if _shows(view, (0.0, pole)):
                box[:, 0] = -math.pi, math.pi
                box[side, 1] = pole
    return box


def is_curved(view: View) -> bool:
    """Return whether the surface of a view is a cylinder or sphere, which close behind the camera."""
    return isinstance(view, RotatedView) and view.projection != "plane"


def resolution(view: View) -> float:
    """Return the px of an image per unit of its surface: the focal length, or that of a homography at the image center."""
    if isinstance(view, RotatedView):
        return view.focal_px
    width, height = view.image_size
    w = float(view.surface_from_image[2] @ ((width - 1) / 2, (height - 1) / 2, 1.0))
    return abs(w**3 / float(np.linalg.det(view.surface_from_image))) ** 0.5


def _shows(view: View, point: tuple[float, float]) -> bool:
    x, y = view.to_image(np.array([point]))[0]
    width, height = view.image_size
    return bool(-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5)


def _homogeneous(points: Points) -> Rays:
    return np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1)


def _project(points: Points, homography: Float[np.ndarray, "3 3"]) -> Points:
    return _divided(_homogeneous(points) @ homography.T)


def _divided(rays: Rays) -> Points:
    z = rays[..., 2:]
    return rays[..., :2] / np.where(z > MIN_DEPTH, z, np.nan)


def _to_cylinder(rays: Rays) -> Points:
    x, y, z = np.moveaxis(rays, -1, 0)
    radius = np.hypot(x, z)
    return np.stack([np.arctan2(x, z), y / np.where(radius > MIN_DEPTH, radius, np.nan)], axis=-1)


def _from_cylinder(points: Points) -> Rays:
    yaw, height = np.moveaxis(points, -1, 0)
    return np.stack([np.sin(yaw), height, np.cos(yaw)], axis=-1)


def _to_sphere(rays: Rays) -> Points:
    x, y, z = np.moveaxis(rays, -1, 0)
    return np.stack([np.arctan2(x, z), np.arctan2(y, np.hypot(x, z))], axis=-1)


def _from_sphere(points: Points) -> Rays:
    yaw, pitch = np.moveaxis(points, -1, 0)
    return np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=-1)


TO_SURFACE: dict[str, Callable[[Rays], Points]] = {
    "plane": _divided,
    "cylinder": _to_cylinder,
    "sphere": _to_sphere,
}
TO_RAYS: dict[str, Callable[[Points], Rays]] = {
    "plane": _homogeneous,
    "cylinder": _from_cylinder,
    "sphere": _from_sphere,
}
