"""Multiple-view geometry against cases that can be checked by hand."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tiepoint.geometry import multiview as tf

ALONG_X = np.array([[1.0, 0, 0, -1], [0, 1, 0, 0], [0, 0, 1, 0]])  # the camera moves 1 to the right


def quarter_turn(axis: str) -> np.ndarray:
    """A rotation by +90 degrees."""
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    R = np.zeros((3, 3))
    R[3 - i - j, 3 - i - j] = 1
    R[j, i], R[i, j] = 1, -1
    return R


def test_homographies_divide_by_the_third_coordinate() -> None:
    H = np.array([[2.0, 0, 1], [0, 2, 3], [0, 0, 2]])
    assert tf.warp_points(np.array([[1.0, 1], [0, 0]]), H).tolist() == [[1.5, 2.5], [0.5, 1.5]]


def test_points_on_the_line_at_infinity_are_mapped_to_infinity() -> None:
    H = np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, -1]])
    warped = tf.warp_points(np.array([[1.0, 0], [2, 4]]), H)
    assert np.isinf(warped[0]).all()
    assert warped[1].tolist() == [2, 4]


def test_no_points() -> None:
    none = np.zeros((0, 2), dtype=np.float32)
    assert tf.warp_points(none, np.eye(3)).shape == (0, 2)
    assert tf.epipolar_distances(none, none, np.eye(3)).shape == (0, 2)
    assert tf.sampson_distances(none, none, np.eye(3)).shape == (0,)


def test_the_cross_matrix_is_the_cross_product() -> None:
    v, w = np.array([1.0, -2, 3]), np.array([0.5, 4, -1])
    np.testing.assert_allclose(tf.cross_matrix(v) @ w, np.cross(v, w))


def test_a_pose_composed_with_its_inverse_is_the_identity() -> None:
    pose = np.column_stack([quarter_turn("y"), [1.0, 2, 3]])
    np.testing.assert_allclose(tf.compose_poses(pose, tf.invert_pose(pose)), np.eye(3, 4), atol=1e-12)


def test_relative_pose_moves_a_point_from_camera_to_camera() -> None:
    cam0 = np.column_stack([quarter_turn("x"), [0.0, 1, 2]])
    cam1 = np.column_stack([quarter_turn("z"), [3.0, -1, 0]])
    world = np.array([0.3, -0.7, 5, 1])
    moved = tf.relative_pose(cam0, cam1) @ np.append(cam0 @ world, 1)
    np.testing.assert_allclose(moved, cam1 @ world, atol=1e-12)


def test_corresponding_points_satisfy_the_essential_and_the_fundamental_matrix() -> None:
    K0 = np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]])
    K1 = np.array([[700.0, 0, 400], [0, 690, 300], [0, 0, 1]])
    pose = np.column_stack([quarter_turn("z"), [1.0, 0.5, 0.2]])
    world = np.random.default_rng(0).uniform([-1, -1, 4], [1, 1, 6], (20, 3))
    points0 = _project(world, np.eye(3, 4), K0)
    points1 = _project(world, pose, K1)
    E = tf.essential_from_pose(pose)
    F = tf.fundamental_from_essential(E, K0, K1)
    in_px = tf.epipolar_distances(points0, points1, F)
    on_plane = tf.epipolar_distances(tf.normalize_points(points0, K0), tf.normalize_points(points1, K1), E)
    np.testing.assert_allclose(in_px, 0, atol=1e-9)
    np.testing.assert_allclose(on_plane, 0, atol=1e-12)


def test_sideways_motion_has_horizontal_lines() -> None:
    E = tf.essential_from_pose(ALONG_X)
    lines = tf.epipolar_lines(np.array([[3.0, 2.0]]), E)
    np.testing.assert_allclose(np.abs(lines), [[0, 1, 2]])
    distances = tf.epipolar_distances(np.array([[3.0, 2.0]]), np.array([[9.0, 2.5]]), E)
    np.testing.assert_allclose(distances, [[0.5, 0.5]])


def test_the_sampson_distance_shares_an_error_between_the_images() -> None:
    E = tf.essential_from_pose(ALONG_X)
    distance = tf.sampson_distances(np.array([[3.0, 2.0]]), np.array([[9.0, 2.5]]), E)
    np.testing.assert_allclose(distance, 0.5 / np.sqrt(2))  # each point moves by 0.25


def test_the_epipole_has_no_line() -> None:
    forward = tf.essential_from_pose(np.column_stack([np.eye(3), [0.0, 0, 1]]))
    epipole = np.zeros((1, 2))
    assert np.isnan(tf.epipolar_lines(epipole, forward)).all()
    distances = tf.epipolar_distances(epipole, np.array([[1.0, 1.0]]), forward)
    assert distances[0, 1] == np.inf
    assert tf.sampson_distances(epipole, epipole, forward).tolist() == [np.inf]


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.5, 2))
def test_distances_do_not_depend_on_the_scale_of_the_matrix(x: float, y: float, scale: float) -> None:
    E = tf.essential_from_pose(ALONG_X)
    points0, points1 = np.array([[x, y]]), np.array([[y, x]])
    scaled = tf.epipolar_distances(points0, points1, -scale * E)
    np.testing.assert_allclose(scaled, tf.epipolar_distances(points0, points1, E), atol=1e-12)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_essential_matrices_have_two_equal_singular_values(axis: str) -> None:
    pose = np.column_stack([quarter_turn(axis), [1.0, 2, 2]])
    singular = np.linalg.svd(tf.essential_from_pose(pose), compute_uv=False)
    np.testing.assert_allclose(singular, [3, 3, 0], atol=1e-12)  # |t| = 3


def _project(world: np.ndarray, pose: np.ndarray, K: np.ndarray) -> np.ndarray:
    rays = (world @ pose[:, :3].T + pose[:, 3]) @ K.T
    return rays[:, :2] / rays[:, 2:]
