"""Synthetic pairs with known geometry: points in space or on a plane, noise, and outliers."""

from dataclasses import dataclass

import numpy as np

from tiepoint.geometry.multiview import essential_from_pose, fundamental_from_essential, warp_points
from tiepoint.types import Camera, Correspondences, ImageInfo

SIZE0, SIZE1 = (1600, 1200), (1300, 960)
K0 = np.array([[1400.0, 0.0, 790.5], [0.0, 1410.0, 605.5], [0.0, 0.0, 1.0]])
K1 = np.array([[1100.0, 0.0, 652.0], [0.0, 1095.0, 476.0], [0.0, 0.0, 1.0]])
SIMILARITY = np.array([[0.8, -0.15, 90.0], [0.15, 0.8, -60.0], [0.0, 0.0, 1.0]])
AFFINE = np.array([[0.75, 0.2, 30.0], [-0.1, 0.9, 40.0], [0.0, 0.0, 1.0]])
HOMOGRAPHY = np.array([[1.1, 0.05, 30.0], [-0.04, 0.95, -20.0], [1e-4, -5e-5, 1.0]])
PLANES = {"similarity": SIMILARITY, "affine": AFFINE, "homography": HOMOGRAPHY}
"""Planar model -> matrix."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Matches with ground truth; `outliers` marks the wrong ones."""

    points0: np.ndarray
    points1: np.ndarray
    outliers: np.ndarray
    cam1_from_cam0: np.ndarray | None = None
    homography: np.ndarray | None = None

    @property
    def fundamental(self) -> np.ndarray:
        """Ground-truth fundamental matrix with Frobenius norm 1."""
        F = fundamental_from_essential(essential_from_pose(self.cam1_from_cam0), K0, K1)
        return F / np.linalg.norm(F)


def rotation(angle_deg: float, axis: tuple[float, float, float]) -> np.ndarray:
    """Rotation matrix by Rodrigues' formula."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross, angle = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]), np.deg2rad(angle_deg)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


POSE = np.column_stack([rotation(17.0, (0.2, 1.0, 0.1)), np.array([-0.98, 0.1, 0.15])])
POSE[:, 3] /= np.linalg.norm(POSE[:, 3])


def plane_scene(
    count: int = 400,
    *,
    outlier_share: float = 0.5,
    noise_px: float = 0.5,
    seed: int = 0,
    homography: np.ndarray = HOMOGRAPHY,
) -> Scene:
    """Two views of a plane."""
    rng = np.random.default_rng(seed)
    points0 = rng.uniform((0, 0), SIZE0, (count, 2))
    points1 = warp_points(points0, homography) + rng.normal(0, noise_px, (count, 2))
    outliers = _add_outliers(points1, outlier_share, rng)
    return Scene(points0=points0, points1=points1, outliers=outliers, homography=homography)


def space_scene(
    count: int = 400,
    *,
    outlier_share: float = 0.5,
    noise_px: float = 0.5,
    seed: int = 0,
    cam1_from_cam0: np.ndarray = POSE,
) -> Scene:
    """Two views of points at depths between 4 and 9 baselines."""
    rng = np.random.default_rng(seed)
    world = np.column_stack([rng.uniform(-2, 2, (count, 2)), rng.uniform(4, 9, count)])
    points0 = project(world, K0) + rng.normal(0, noise_px, (count, 2))
    there = world @ cam1_from_cam0[:, :3].T + cam1_from_cam0[:, 3]
    points1 = project(there, K1) + rng.normal(0, noise_px, (count, 2))
    outliers = _add_outliers(points1, outlier_share, rng)
    return Scene(points0=points0, points1=points1, outliers=outliers, cam1_from_cam0=cam1_from_cam0)


def project(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Project points in the camera frame (n, 3) to px (n, 2)."""
    image = points @ K.T
    return image[:, :2] / image[:, 2:]


def distort(points: np.ndarray, camera: Camera) -> np.ndarray:
    """Apply lens distortion to points of a pinhole camera. Source: OpenCV's documentation of `calib3d`."""
    (fx, fy), (cx, cy), (k1, k2, p1, p2) = camera.focal_lengths, camera.principal_point, camera.distortion
    x, y = (points[:, 0] - cx) / fx, (points[:, 1] - cy) / fy
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2
    xd = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2)
    yd = y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y
    return np.column_stack([fx * xd + cx, fy * yd + cy])


def as_correspondences(
    scene: Scene,
    *,
    scores: np.ndarray | None = None,
    source0: str | None = None,
    source1: str | None = None,
    size0: tuple[int, int] = SIZE0,
    size1: tuple[int, int] = SIZE1,
) -> Correspondences:
    """Correspondences of a scene with float32 coordinates, as matchers return them."""
    return Correspondences.from_points(
        scene.points0.astype(np.float32),
        scene.points1.astype(np.float32),
        scores,
        image0=ImageInfo(image_size=size0, source=source0),
        image1=ImageInfo(image_size=size1, source=source1),
    )


def _add_outliers(points1: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    outliers = rng.random(len(points1)) < share
    points1[outliers] = rng.uniform((0, 0), SIZE1, (int(outliers.sum()), 2))
    return outliers
