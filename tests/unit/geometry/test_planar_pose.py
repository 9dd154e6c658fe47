"""Decomposition of homographies: both solutions explain the plane, and one of them is true."""

import numpy as np
import pytest
from tests.helpers.synthetic_scenes import rotation

from tiepoint.geometry.planar_pose import other_pose, poses_from_homography

NORMAL = np.array([0.2, -0.1, 1.0]) / np.linalg.norm([0.2, -0.1, 1.0])


@pytest.mark.parametrize("scale", [1.0, -2.5])
@pytest.mark.parametrize("seed", range(4))
def test_both_solutions_explain_the_plane_and_one_is_true(seed: int, scale: float):
    rng = np.random.default_rng(seed)
    R, t = rotation(rng.uniform(0, 60), tuple(rng.normal(size=3))), 0.3 * rng.normal(size=3)
    H = R + np.outer(t, NORMAL)
    found = poses_from_homography(scale * H)
    for pose, normal in found:
        assert pose[:, :3] @ pose[:, :3].T == pytest.approx(np.eye(3), abs=1e-9)
        assert np.linalg.det(pose[:, :3]) == pytest.approx(1)
        assert pose[:, :3] + np.outer(pose[:, 3], normal) == pytest.approx(H, abs=1e-9)
    assert min(np.abs(pose[:, :3] - R).max() for pose, _ in found) < 1e-9
    other = other_pose(scale * H, np.column_stack([R, t]))
    assert np.abs(other[:, :3] - R).max() > 1e-2


def test_a_rotation_has_no_plane():
    assert poses_from_homography(rotation(30.0, (1.0, 2.0, 3.0))) == []


def test_motion_along_the_normal_has_one_solution():
    pose = np.column_stack([np.eye(3), 0.3 * NORMAL])
    assert other_pose(np.eye(3) + 0.3 * np.outer(NORMAL, NORMAL), pose) is None
