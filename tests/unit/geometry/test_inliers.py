"""Which matches count as inliers, and when they leave the model open."""

import numpy as np
import pytest
from tests.helpers.synthetic_scenes import K0, K1, POSE, SIZE0, SIZE1, plane_scene, space_scene

from tiepoint.geometry.backends.base import Model, Problem
from tiepoint.geometry.inliers import (
    INLIERS,
    MINIMAL_SET,
    MODEL_NAMES,
    fundamental_inliers,
    homography_inliers,
    pose_inliers,
    reason_degenerate,
    reason_insufficient,
)
from tiepoint.geometry.multiview import warp_points
from tiepoint.types import Camera

CAMERAS = (Camera.from_intrinsics(K0, SIZE0), Camera.from_intrinsics(K1, SIZE1))


def problem(points0: np.ndarray, points1: np.ndarray, max_error_px: float = 1.0) -> Problem:
    return Problem(
        points0=points0,
        points1=points1,
        weights=np.ones(len(points0)),
        max_error_px=max_error_px,
        seed=0,
        cameras=CAMERAS,
    )


def test_every_kind_has_its_rows():
    assert (
        set(MINIMAL_SET)
        == set(INLIERS)
        == set(MODEL_NAMES)
        == {"homography", "fundamental", "essential", "pose"}
    )


@pytest.mark.parametrize(("shift", "is_inlier"), [(2.99, True), (3.0, True), (3.01, False)])
def test_homography_inliers_have_transfer_errors_up_to_the_threshold(shift: float, is_inlier: bool):
    points = np.array([[10.0, 20.0], [300.0, 40.0]])
    moved = points + np.array([0.0, shift])
    assert homography_inliers(problem(points, moved, 3.0), Model(np.eye(3))).tolist() == [
        is_inlier,
        is_inlier,
    ]


@pytest.mark.parametrize(("shift", "is_inlier"), [(1.4, True), (1.5, False)])
def test_the_sampson_error_distributes_the_distance_over_both_images(shift: float, is_inlier: bool):
    """A pure sideways motion: the lines are the rows, and a row's distance d is an error of d / sqrt(2)."""
    F = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    points = np.array([[10.0, 20.0], [300.0, 40.0]])
    moved = points + np.array([50.0, shift])
    assert fundamental_inliers(problem(points, moved), Model(F)).tolist() == [is_inlier, is_inlier]


def test_depths_have_signs():
    """Points at known depths, before and behind the cameras, all on their epipolar lines."""
    depths = np.array([5.0, -5.0, 7.0, -7.0])
    world = np.array([[0.3, 0.2, 1.0], [-0.2, 0.1, 1.0], [0.1, -0.3, 1.0], [0.0, 0.1, 1.0]]) * depths[:, None]
    there = world @ POSE[:, :3].T + POSE[:, 3]
    image0, image1 = world @ K0.T, there @ K1.T
    found = pose_inliers(
        problem(image0[:, :2] / image0[:, 2:], image1[:, :2] / image1[:, 2:]), Model(cam1_from_cam0=POSE)
    )
    assert found.tolist() == [True, False, True, False]


def test_collinear_inliers_among_outliers_do_not_determine_a_homography():
    scene = plane_scene(60, outlier_share=0, noise_px=0)
    scene.points0[:50] = np.column_stack([np.linspace(0, 900, 50), np.linspace(50, 320, 50)])
    scene.points1[:50] = warp_points(scene.points0[:50], scene.homography)
    given = problem(scene.points0, scene.points1)
    inliers = np.arange(60) < 50
    assert reason_insufficient("homography", given) == ""
    assert "collinear in image 0" in reason_degenerate("homography", given, Model(scene.homography), inliers)
    assert reason_degenerate("homography", given, Model(scene.homography), np.ones(60, bool)) == ""


def test_singular_homographies_are_degenerate():
    scene = plane_scene(20, outlier_share=0)
    flat = Model(np.outer([1.0, 2.0, 1.0], [1.0, 0.0, 1.0]))
    reason = reason_degenerate("homography", problem(scene.points0, scene.points1), flat, np.ones(20, bool))
    assert "singular" in reason


@pytest.mark.parametrize(("inlier_count", "reason"), [(5, "no consensus: only 5 of 20"), (6, "")])
def test_a_minimal_set_is_no_consensus(inlier_count: int, reason: str):
    scene = space_scene(20, outlier_share=0)
    given = problem(scene.points0, scene.points1)
    found = reason_degenerate("pose", given, Model(cam1_from_cam0=POSE), np.arange(20) < inlier_count)
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


def test_a_minimal_set_of_all_matches_is_sufficient():
    scene = plane_scene(4, outlier_share=0)
    given = problem(scene.points0, scene.points1)
    assert reason_degenerate("homography", given, Model(scene.homography), np.ones(4, bool)) == ""


def test_two_points_off_a_plane_determine_a_fundamental_matrix():
    scene = plane_scene(40, outlier_share=0, noise_px=0)
    inliers, model = np.ones(40, bool), Model(np.eye(3))
    assert "planar" in reason_degenerate("fundamental", problem(scene.points0, scene.points1), model, inliers)
    scene.points1[:2] += 60.0
    assert reason_degenerate("fundamental", problem(scene.points0, scene.points1), model, inliers) == ""
