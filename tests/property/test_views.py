"""Views map back exactly: keypoints of random views, and of random homographies, are where they were."""

import numpy as np
import torch
from hypothesis import given, settings, strategies as st

from tiepoint.extraction.views import View, view_from_image
from tiepoint.extraction.warping import Warp, unwarp_features
from tiepoint.geometry.multiview import warp_points
from tiepoint.types import Features

VIEWS = st.builds(
    View,
    rotation=st.integers(0, 359),
    scale=st.floats(0.25, 4),
    tilt=st.floats(1, 5),
    direction=st.integers(0, 179),
)
SIZES = st.tuples(st.integers(20, 3000), st.integers(20, 3000))


def features_at(points: np.ndarray, image_size: tuple[int, int]) -> Features:
    return Features(
        keypoints=torch.from_numpy(points).float(),
        scores=torch.ones(len(points)),
        descriptors=torch.ones(len(points), 1),
        image_size=image_size,
    )


@settings(max_examples=40)
@given(view=VIEWS, size=SIZES, seed=st.integers(0, 99))
def test_keypoints_of_views_map_back(view: View, size: tuple[int, int], seed: int) -> None:
    matrix, view_size = view_from_image(view, size)
    assert np.linalg.det(matrix) > 0  # not mirrored
    points = np.random.default_rng(seed).uniform((0, 0), np.array(size) - 1, (20, 2))
    in_view = warp_points(points, matrix)
    assert (in_view >= -0.51).all()
    assert (in_view <= np.array(view_size) - 0.49).all()
    found = unwarp_features(features_at(in_view, view_size), matrix, size)
    # float32 positions of the view, scaled back
    bound = 2e-4 * max(view_size) / 1000 * max(1, view.tilt / view.scale) + 1e-3
    assert np.abs(found.keypoints.numpy() - points).max() < bound
    assert found.image_size == size


@settings(max_examples=40)
@given(
    corners=st.lists(st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)), min_size=4, max_size=4),
    seed=st.integers(0, 99),
)
def test_keypoints_of_homographies_map_back(corners: list[tuple[float, float]], seed: int) -> None:
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
    rows = []
    for (x, y), (u, v) in zip(square, square + corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y, -u], [0, 0, 0, x, y, 1, -v * x, -v * y, -v]]
    unit = np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3)
    matrix = np.diag([400, 300, 1.0]) @ unit @ np.diag([1 / 640, 1 / 480, 1.0])
    points = np.random.default_rng(seed).uniform(0.3, 0.7, (20, 2)) * (640, 480)
    in_view = warp_points(points, matrix)
    found = unwarp_features(features_at(in_view, (400, 300)), matrix, (640, 480))
    np.testing.assert_allclose(found.keypoints.numpy(), points, atol=5e-3)
    scales = Warp(matrix, (400, 300)).scales((640, 480))
    assert scales is None or 0 < scales[0] <= scales[1]
