"""The simplest model that explains the matches is chosen, whatever the noise and the outliers."""

import numpy as np
import pytest
from tests.helpers.synthetic_scenes import PLANES, SIZE0, plane_scene, space_scene

from tiepoint.geometry.alignment import estimate_alignment
from tiepoint.geometry.metrics import corner_error_px


@pytest.mark.parametrize("noise_px", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("outlier_share", [0.0, 0.4])
@pytest.mark.parametrize("count", [60, 400])
@pytest.mark.parametrize("kind", PLANES)
def test_the_true_model_is_chosen(kind: str, count: int, outlier_share: float, noise_px: float):
    scene = plane_scene(count, homography=PLANES[kind], outlier_share=outlier_share, noise_px=noise_px)
    found = estimate_alignment(scene.points0, scene.points1)
    assert found.kind == kind
    assert corner_error_px(found.matrix, PLANES[kind], SIZE0) < 1.5


def test_a_model_is_not_chosen_for_fewer_inliers():
    """A slight perspective: 3 px at the corners, within the threshold for most points."""
    H = np.array([[1.0, 0, 0], [0, 1.0, 0], [4e-6, 0, 1.0]])
    scene = plane_scene(homography=H, noise_px=0.2, outlier_share=0.2)
    found = estimate_alignment(scene.points0, scene.points1, max_error_px=8.0)
    assert found.kind == "homography"


def test_without_a_model_the_failure_is_that_of_the_homography():
    rng = np.random.default_rng(0)
    found = estimate_alignment(*rng.uniform(0, 1000, (2, 60, 2)))
    assert (found.kind, found.success) == ("homography", False)
    assert "no consensus" in found.reason


def test_two_matches_determine_a_similarity():
    points0 = np.array([[0.0, 0.0], [600.0, 100.0]])
    assert estimate_alignment(points0, points0 + 10).kind == "similarity"


def test_a_scene_with_depth_has_at_most_a_model_of_a_part():
    scene = space_scene(outlier_share=0, noise_px=0.2)
    found = estimate_alignment(scene.points0, scene.points1)
    assert found.num_inliers < 0.5 * len(scene.points0)
