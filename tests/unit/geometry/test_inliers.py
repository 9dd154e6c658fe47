"""Which matches count as inliers, and when they leave the model open."""

import numpy as np
import pytest
from tests.helpers.synthetic_scenes import K0, K1, POSE, SIZE0, SIZE1, plane_scene, space_scene

from tiepoint.geometry.backends.base import Model, Problem
from tiepoint.geometry.inliers import (
    FEWEST,
    INLIERS,
    NAMES,
    fundamental_inliers,
    homography_inliers,
    pose_inliers,
    why_degenerate,
    why_insufficient,
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
    assert set(FEWEST) == set(INLIERS) == set(NAMES) == {"homography", "fundamental", "essential", "pose"}


@pytest.mark.parametrize(("shift", "agrees"), [(2.99, True), (3.0, True), (3.01, False)])
def test_a_homography_is_right_to_within_the_threshold(shift: float, agrees: bool):
    points = np.array([[10.0, 20.0], [300.0, 40.0]])
    moved = points + np.array([0.0, shift])
    assert homography_inliers(problem(points, moved, 3.0), Model(np.eye(3))).tolist() == [agrees, agrees]


@pytest.mark.parametrize(("shift", "agrees"), [(1.4, True), (1.5, False)])
def test_a_sampson_error_shares_the_distance_between_both_images(shift: float, agrees: bool):
    """A pure sideways motion: the lines are the rows, and a row's distance d is an error of d / sqrt(2)."""
    F = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    points = np.array([[10.0, 20.0], [300.0, 40.0]])
    moved = points + np.array([50.0, shift])
    assert fundamental_inliers(problem(points, moved), Model(F)).tolist() == [agrees, agrees]


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


def test_collinear_inliers_among_spread_outliers_leave_a_homography_open():
    scene = plane_scene(60, outlier_share=0, noise_px=0)
    scene.points0[:50] = np.column_stack([np.linspace(0, 900, 50), np.linspace(50, 320, 50)])
    scene.points1[:50] = warp_points(scene.points0[:50], scene.homography)
    given = problem(scene.points0, scene.points1)
    inliers = np.arange(60) < 50
    assert why_insufficient("homography", given) == ""
    assert "agree lie on one line in image 0" in why_degenerate(
        "homography", given, Model(scene.homography), inliers
    )
    assert why_degenerate("homography", given, Model(scene.homography), np.ones(60, bool)) == ""


def test_a_singular_homography_is_none():
    scene = plane_scene(20, outlier_share=0)
    flat = Model(np.outer([1.0, 2.0, 1.0], [1.0, 0.0, 1.0]))
    reason = why_degenerate("homography", problem(scene.points0, scene.points1), flat, np.ones(20, bool))
    assert "singular" in reason


@pytest.mark.parametrize(("agreeing", "reason"), [(5, "no more than 5 of 20"), (6, "")])
def test_a_sample_agrees_with_itself_always(agreeing: int, reason: str):
    scene = space_scene(20, outlier_share=0)
    given = problem(scene.points0, scene.points1)
    found = why_degenerate("pose", given, Model(cam1_from_cam0=POSE), np.arange(20) < agreeing)
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


def test_a_sample_that_is_all_there_is_will_do():
    scene = plane_scene(4, outlier_share=0)
    given = problem(scene.points0, scene.points1)
    assert why_degenerate("homography", given, Model(scene.homography), np.ones(4, bool)) == ""


def test_two_points_off_a_plane_determine_a_fundamental_matrix():
    scene = plane_scene(40, outlier_share=0, noise_px=0)
    inliers, model = np.ones(40, bool), Model(np.eye(3))
    assert "one plane" in why_degenerate("fundamental", problem(scene.points0, scene.points1), model, inliers)
    scene.points1[:2] += 60.0
    assert why_degenerate("fundamental", problem(scene.points0, scene.points1), model, inliers) == ""
