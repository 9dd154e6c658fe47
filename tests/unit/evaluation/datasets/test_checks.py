"""Validation of ground truth: wrong columns, orders and image sizes are detected."""

from pathlib import Path

import numpy as np
import pytest
from tests.helpers.posed_pairs import K0, POSE, POSE4, SIZE

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.checks import (
    checked_camera,
    checked_pose,
    homography_ground_truth,
    posed_pair,
    scaled_intrinsics,
)
from tiepoint.evaluation.ground_truth import PoseGroundTruth
from tiepoint.image import ImageTransform
from tiepoint.types import Camera


def test_homographies_are_row_major() -> None:
    values = np.array([1.0, 0, 5, 0, 1, 7, 0, 0, 1])
    assert homography_ground_truth(values).homography[:2, 2].tolist() == [5, 7]


def test_a_singular_homography_is_refused() -> None:
    with pytest.raises(InvalidInput, match="singular"):
        homography_ground_truth(np.array([1.0, 2, 3, 2, 4, 6, 0, 0, 1]))


@pytest.mark.parametrize("values", [POSE, POSE4], ids=["3 x 4", "4 x 4"])
def test_valid_poses(values: np.ndarray) -> None:
    np.testing.assert_array_equal(checked_pose(values), POSE)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (POSE4.T, "0 0 0 1"),
        (POSE[:, [3, 0, 1, 2]], "rotation"),
        (np.diag([1.0, 1, -1, 1]), "rotation"),
        (1.1 * POSE, "rotation"),
    ],
    ids=["transposed", "columns", "reflection", "scaled"],
)
def test_invalid_poses_are_refused(values: np.ndarray, text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        checked_pose(values)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_intrinsics_of_another_size_are_refused(factor: float) -> None:
    assert checked_camera(K0, SIZE).intrinsics.tolist() == K0.tolist()
    with pytest.raises(InvalidInput, match="64 x 48"):
        checked_camera(np.diag([factor, factor, 1]) @ K0, SIZE)


def test_intrinsics_are_scaled_like_points() -> None:
    ray = np.array([0.1, -0.05, 1.0])
    original, resized = ((K @ ray)[:2] for K in (K0, scaled_intrinsics(K0, SIZE, (96, 72))))
    scale = ImageTransform.fit(SIZE, 96).scale
    np.testing.assert_allclose(resized, (original + 0.5) * scale - 0.5)


def test_pairs_are_tagged_with_the_rotation_angle() -> None:
    camera = Camera.from_intrinsics(K0, SIZE)
    truth = PoseGroundTruth(camera0=camera, camera1=camera, cam1_from_cam0=POSE)
    pair = posed_pair("scene", (Path("x/a.jpg"), Path("x/scene_b.jpg")), truth, gap=3)
    assert pair.name == "scene/a-b"
    assert pair.tags == {"rot_deg": 20.0, "gap": 3}
