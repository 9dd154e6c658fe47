"""Weighted DLT: exact for exact matches, weighted by the scores otherwise."""

import numpy as np
import pytest
from tests.helpers.synthetic_scenes import HOMOGRAPHY, SIZE0, as_correspondences, plane_scene

from tiepoint.geometry.backends.dlt import weighted_dlt
from tiepoint.geometry.estimate import estimate_homography
from tiepoint.geometry.metrics import corner_error_px
from tiepoint.geometry.multiview import warp_points


@pytest.mark.parametrize("count", [4, 5, 100])
def test_exact_matches_give_the_exact_homography(count: int):
    scene = plane_scene(count, outlier_share=0, noise_px=0)
    found = estimate_homography(scene.points0, scene.points1, method="dlt")
    assert found.matrix == pytest.approx(HOMOGRAPHY, rel=1e-7, abs=1e-7)
    assert found.inliers.all()


def test_more_matches_reduce_the_effect_of_noise():
    errors = [
        corner_error_px(
            estimate_homography(scene.points0, scene.points1, method="dlt").matrix, HOMOGRAPHY, SIZE0
        )
        for scene in (plane_scene(count, outlier_share=0, noise_px=1.0) for count in (10, 10_000))
    ]
    assert errors[1] < 0.1 < errors[0]


def test_matches_of_weight_zero_do_not_count():
    scene = plane_scene(200, noise_px=0)
    assert scene.outliers.sum() > 50
    result = as_correspondences(scene, scores=(~scene.outliers).astype(np.float32))
    found = estimate_homography(result, method="dlt")
    assert corner_error_px(found.matrix, HOMOGRAPHY, SIZE0) < 1e-2  # points are float32 in a result
    assert found.inliers[~scene.outliers].all()


def test_a_match_of_weight_three_counts_as_three():
    scene = plane_scene(20, outlier_share=0, noise_px=2.0)
    weights = np.where(np.arange(20) < 10, 3.0, 1.0)
    repeated = np.repeat(np.arange(20), weights.astype(int))
    weighted = weighted_dlt(scene.points0, scene.points1, weights)
    several = weighted_dlt(scene.points0[repeated], scene.points1[repeated], np.ones(40))
    # the normalizing similarities of the two differ, and with them the algebraic error, but only a little
    assert corner_error_px(weighted, several, SIZE0) < 0.5
    plain = weighted_dlt(scene.points0, scene.points1, np.ones(20))
    assert corner_error_px(weighted, plain, SIZE0) > 2 * corner_error_px(weighted, several, SIZE0)


def test_negative_scores_have_no_weight():
    """Cosine similarities may be negative."""
    scene = plane_scene(50, outlier_share=0, noise_px=1.0)
    scores = np.linspace(-1, 1, 50)
    found = estimate_homography(as_correspondences(scene, scores=scores), method="dlt")
    kept = estimate_homography(as_correspondences(scene, scores=np.maximum(scores, 0)), method="dlt")
    assert np.array_equal(found.matrix, kept.matrix)


def test_degenerate_matches_give_none():
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [1.0, 1.0]])
    assert weighted_dlt(corners, corners, np.ones(4)) is None, "three of four on one line"
    assert weighted_dlt(np.zeros((9, 2)), np.zeros((9, 2)), np.ones(9)) is None, "one point"
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    assert weighted_dlt(square, square, np.array([1.0, 1.0, 1.0, 0.0])) is None, "three that count"


def test_the_origin_may_go_to_infinity():
    """Then H[2, 2] = 0, and the matrix cannot be normalized by it."""
    H = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 50.0], [1e-2, 0.0, 0.0]])
    points0 = np.random.default_rng(0).uniform(100, 900, (30, 2))
    points1 = warp_points(points0, H)
    found = estimate_homography(points0, points1, method="dlt", max_error_px=0.1)
    assert found.inliers.all()
    assert np.linalg.norm(found.matrix) == pytest.approx(1)
