"""Two calibrated cameras with a known relative pose, and checks of ground truth against them."""

from pathlib import Path

import numpy as np
from PIL import Image

from tiepoint.evaluation.ground_truth import EvaluationPair, PoseGroundTruth
from tiepoint.geometry.multiview import epipolar_distances, essential_from_pose, fundamental_from_essential

SIZE = (64, 48)


K0 = np.array([[70.0, 0, 31], [0, 72, 24], [0, 0, 1]])


K1 = np.array([[90.0, 0, 33], [0, 88, 22], [0, 0, 1]])


ANGLE = np.deg2rad(20)


R = np.array([[np.cos(ANGLE), 0, np.sin(ANGLE)], [0, 1, 0], [-np.sin(ANGLE), 0, np.cos(ANGLE)]])


POSE = np.column_stack([R, [-1.0, 0.1, 0.2]])


POSE4 = np.vstack([POSE, [0, 0, 0, 1]])


WORLD = np.random.default_rng(0).uniform([-0.5, -0.5, 3], [0.5, 0.5, 5], (12, 3))


def write_image(path: Path, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def words(*arrays: np.ndarray) -> str:
    return " ".join(str(value) for array in arrays for value in np.asarray(array).ravel())


def project(pose: np.ndarray, K: np.ndarray) -> np.ndarray:
    rays = (WORLD @ pose[:, :3].T + pose[:, 3]) @ K.T
    return rays[:, :2] / rays[:, 2:]


def rotate_points(points: np.ndarray, size: tuple[int, int], num_rotations: int) -> np.ndarray:
    """Rotate points like numpy.rot90: one rotation maps (x, y) to (y, width - 1 - x)."""
    for _ in range(num_rotations):
        points = np.column_stack([points[:, 1], size[0] - 1 - points[:, 0]])
        size = size[::-1]
    return points


def assert_truth_holds(pair: EvaluationPair, turns: tuple[int, int] = (0, 0)) -> None:
    """Check that the projections of the world points, rotated with the images, are on their epipolar lines."""
    truth = pair.truth
    assert isinstance(truth, PoseGroundTruth)
    E = essential_from_pose(truth.cam1_from_cam0)
    F = fundamental_from_essential(E, truth.camera0.intrinsics, truth.camera1.intrinsics)
    points0 = rotate_points(project(np.eye(3, 4), K0), SIZE, turns[0])
    points1 = rotate_points(project(POSE, K1), SIZE, turns[1])
    np.testing.assert_allclose(epipolar_distances(points0, points1, F), 0, atol=1e-6)
