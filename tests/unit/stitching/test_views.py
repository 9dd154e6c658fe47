"""Views map pixels to surfaces and back."""

import math

import numpy as np
import pytest
from benchmarks.panorama.scenes import rotation

from tiepoint.stitching.views import PlanarView, RotatedView, bounds, grid_points, is_curved, resolution

SIZE = (64, 48)


@pytest.mark.parametrize("projection", ["plane", "cylinder", "sphere"])
def test_rotated_views_are_inverted(projection: str) -> None:
    view = RotatedView(
        image_size=SIZE, focal_px=60.0, world_from_cam=rotation(20, 10, 5), projection=projection
    )
    points = grid_points(SIZE, 9)
    np.testing.assert_allclose(view.to_image(view.to_surface(points)), points, atol=1e-9)


def test_homographies_are_inverted_and_end_at_the_horizon() -> None:
    H = np.array([[1.0, 0.1, 5], [0, 1.1, -3], [0.004, 0, 1]])
    view = PlanarView(image_size=SIZE, surface_from_image=H)
    points = grid_points(SIZE, 9)
    np.testing.assert_allclose(view.to_image(view.to_surface(points)), points, atol=1e-9)
    assert bounds(view) is not None
    folded = PlanarView(image_size=SIZE, surface_from_image=H - [[0, 0, 0], [0, 0, 0], [0.04, 0, 0]])
    assert bounds(folded) is None


def test_points_behind_the_camera_are_nan() -> None:
    view = RotatedView(image_size=SIZE, focal_px=60.0, world_from_cam=np.eye(3), projection="sphere")
    assert np.isnan(view.to_image(np.array([[math.pi, 0.0]]))).all()
    assert not np.isnan(view.to_image(np.array([[0.0, 0.0]]))).any()


def test_views_across_the_back_are_continuous_and_those_over_a_pole_span_the_circle() -> None:
    half = math.atan(32 / 60)
    for yaw, center in ((180, math.pi), (170, math.radians(170)), (-170, -math.radians(170))):
        back = RotatedView(
            image_size=SIZE, focal_px=60.0, world_from_cam=rotation(yaw), projection="cylinder"
        )
        box = bounds(back)
        assert box is not None
        np.testing.assert_allclose(box[:, 0], (center - half, center + half))
    up = RotatedView(image_size=SIZE, focal_px=60.0, world_from_cam=rotation(0, 80), projection="sphere")
    box = bounds(up)
    assert box is not None
    np.testing.assert_allclose(box[:, 0], (-math.pi, math.pi))
    assert box[0, 1] == pytest.approx(-math.pi / 2)
    plane = RotatedView(image_size=SIZE, focal_px=60.0, world_from_cam=rotation(80), projection="plane")
    assert bounds(plane) is None


def test_the_resolution_of_a_homography_is_that_at_the_image_center() -> None:
    H = np.array([[0.5, 0.1, 5], [0, 0.5, -3], [0.004, 0, 1]])
    view = PlanarView(image_size=SIZE, surface_from_image=H)
    center = np.array([[31.5, 23.5], [31.501, 23.5], [31.5, 23.501]])
    mapped = view.to_surface(center)
    area = abs(np.linalg.det(mapped[1:] - mapped[0])) / 1e-6
    assert resolution(view) == pytest.approx(area**-0.5, rel=1e-3)
    rotated = RotatedView(image_size=SIZE, focal_px=60.0, world_from_cam=rotation(80))
    assert resolution(rotated) == 60
    assert is_curved(rotated)
    assert not is_curved(view)
