"""Homographies of a plane, relative to the most central image."""

import numpy as np
from tests.helpers.stitch_pairs import SIZE, homography_pair, inputs_for

from tiepoint.stitching.homographies import estimate_homographies
from tiepoint.stitching.views import grid_points

TO_PLANE = [
    np.array([[1.0, 0.05, 0], [0.02, 1, 0], [1e-4, 0, 1]]),
    np.array([[0.9, 0, 250], [0, 1.05, 20], [0, 1e-4, 1]]),
    np.array([[1.1, 0, 480], [0.03, 1, -30], [-1e-4, 0, 1]]),
]


def test_they_are_those_of_the_plane() -> None:
    pairs = [homography_pair(np.linalg.inv(TO_PLANE[j]) @ TO_PLANE[i], i, j) for i, j in ((0, 1), (1, 2))]
    assert not any(pair.reason for pair in pairs)
    views = estimate_homographies(inputs_for(pairs), pairs)
    points = grid_points(SIZE, 5)
    for view, H in zip(views, TO_PLANE, strict=True):
        rays = np.column_stack([points, np.ones(len(points))]) @ (np.linalg.inv(TO_PLANE[1]) @ H).T
        np.testing.assert_allclose(view.to_surface(points), rays[:, :2] / rays[:, 2:], atol=0.1)
    np.testing.assert_allclose(views[1].surface_from_image, np.eye(3), atol=1e-6)
