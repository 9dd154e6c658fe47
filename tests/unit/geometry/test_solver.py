"""The table of methods, and what all estimators share."""

from typing import get_args

import numpy as np
import pytest
from tests.helpers.synthetic_scenes import HOMOGRAPHY, PLANES, SIZE0, as_correspondences, plane_scene

from tiepoint.errors import InvalidInput
from tiepoint.geometry.metrics import corner_error_px
from tiepoint.geometry.solver import ESTIMATORS, Method, largest_support, solve
from tiepoint.types import Kind


def test_every_model_has_a_method_and_every_method_a_model():
    assert {kind for kind, _ in ESTIMATORS} == set(get_args(Kind))
    assert {method for _, method in ESTIMATORS} == set(get_args(Method))


def test_an_unknown_model_is_refused():
    with pytest.raises(
        InvalidInput, match="unknown method 'poselib' for kind 'affine'; available: 'opencv', 'pycolmap'"
    ):
        solve(as_correspondences(plane_scene()), "affine", "poselib", 3.0, 0)


def test_the_largest_support_is_found_where_points_do_not_determine_the_model():
    scene = plane_scene(100, outlier_share=0.3)
    H = largest_support(as_correspondences(scene), "homography", 3.0)
    assert corner_error_px(H, HOMOGRAPHY, SIZE0) < 1
    assert (
        largest_support(as_correspondences(scene), "fundamental", 3.0) is not None
    )  # a plane determines none


def test_random_matches_have_no_support_beyond_a_minimal_set():
    matches = as_correspondences(plane_scene(8, outlier_share=1.0))
    assert largest_support(matches, "homography", 0.01) is None


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_a_mirrored_similarity_wins_over_a_few_points_near_a_line(share: float):
    mirrored = np.diag([-1.0, 1.0, 1.0]) @ PLANES["similarity"]
    scene = plane_scene(homography=mirrored, outlier_share=share)
    found = solve(as_correspondences(scene), "similarity", "opencv", 3.0, 0)
    assert np.linalg.det(found.matrix) < 0
    assert found.inliers[~scene.outliers].mean() > 0.97
